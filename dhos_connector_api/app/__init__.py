"""The wiring: the only place that knows which implementation stands behind which name."""
