"""Several controllers on one database: who lives, who may act, who takes over."""
