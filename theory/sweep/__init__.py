"""The parts of `python -m theory.npg_sweep`: the grid, the work of one job, the scheduling, the table, the figures."""
