"""How far offline estimates of a policy's cost can be trusted: `python -m deep.benchmark.ope_study`."""
