"""Whether a run's data have the states in which its policies cause costs: `python -m deep.benchmark.coverage`."""
