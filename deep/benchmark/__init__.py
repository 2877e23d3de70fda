"""One command for the papers' tables: tasks x algorithms x cost limits x seeds."""
