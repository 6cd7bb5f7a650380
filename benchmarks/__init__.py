"""Figures. Each command prints JSON lines; ratios are of one run on one machine. See docs/benchmarks.md.

`against_bare` compares a service with bare Asterisk, `speech` measures the voice, `start` the start,
`soak` what grows. `memory`, `stored`, `two_controllers`, `observability`, `held` and `other_client` are about
what is wide; `fake_nodes` gives them controllers without Asterisk.

- What is measured: `services`, one description each. Who is under load: `bare`, `product`.
- How: `load` is a trial, what it must be to count, and the search for the highest rate; `usage` tells who
  used the processor.
- Around it: `stored_calls` are those of two months, `far_ends` the phones, `customer` asks over HTTP, `sink`
  takes the pushes, `listener` hears.
"""
