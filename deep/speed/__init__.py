"""`python -m deep.speed`: how fast the stacked updates are, beside a plain loop over one network at a time."""

import os

# torch's profiler writes two lines to stderr at every start and stop; it reads this when torch is first imported.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")
