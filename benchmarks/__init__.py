"""Figures. Each module prints one JSON line; ratios are of one run on one machine."""
