"""Learners for continuous control from fixed data sets, with a limit on the cost."""

import os

# Threads that wait for each other sleep instead of spinning. Where other work shared the two cores, spinning made
# training 40 times slower. OpenMP reads this when torch is first imported, hence here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
