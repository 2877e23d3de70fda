"""`python -m deep.speed`: how fast the stacked updates are, beside a plain loop over one network at a time."""
