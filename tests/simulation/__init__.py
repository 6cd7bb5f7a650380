"""Deterministic simulation of the whole controller: see docs/how-to/simulate.md."""
