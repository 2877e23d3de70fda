"""`python -m tests.support.short_train`: `python -m deep.train` with short episodes and without figures."""

import sys

from deep import train
from tests.support.lighter import no_figures, short_episodes

if __name__ == "__main__":
    with short_episodes(), no_figures():
        train.main(sys.argv[1:])
