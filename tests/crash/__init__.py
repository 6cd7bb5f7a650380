"""Nothing is lost: real processes, a real Asterisk, and every fault at every stage of every service.

- `matrix` states the table: which stages and which faults there are, and who outlives what.
- `world` is what they happen to: Asterisk, a controller's process, the link between the two, a receiver.
- `invariants` says what must hold afterwards; `random_run` has the same checked after many faults under load.
"""
