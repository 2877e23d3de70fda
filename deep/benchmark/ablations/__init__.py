"""Which part of DRCORL carries its result: `python -m deep.benchmark.ablations`."""
