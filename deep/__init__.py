"""Learners for continuous control from fixed data sets, with a limit on the cost."""
