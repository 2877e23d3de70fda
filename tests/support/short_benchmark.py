"""`python -m deep.benchmark` whose jobs have short episodes and no figures."""

from deep.benchmark import __main__ as benchmark
from deep.benchmark import running

CHILD = "tests.support.short_child"


if __name__ == "__main__":
    running.CHILD = CHILD
    benchmark.main()
