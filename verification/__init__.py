"""The ledger of claims, lattice tasks with exact regret, and cross-checks of the learners."""
