"""What the operator sees from outside: metrics for Prometheus and traces for OpenTelemetry.

The rest of the house knows nothing of this room: it is told what the teller of pushes is told, and looks at
the others' state when it is asked.
"""
