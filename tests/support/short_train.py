"""`python -m tests.support.short_train`: `python -m deep.train` with HopperVel's episodes of 40 steps."""

import sys

from deep import train
from tests.support.lighter import short_episodes

if __name__ == "__main__":
    with short_episodes():
        train.main(sys.argv[1:])
