"""`python -m tests.support.short_benchmark`: `python -m deep.benchmark` with HopperVel's episodes of 40 steps."""

import sys

from deep.benchmark import __main__ as benchmark
from tests.support import short_child

if __name__ == "__main__":
    short_child.use()
    benchmark.main(sys.argv[1:])
