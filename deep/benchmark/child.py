"""`deep.train` as a child process that ends with its parent: standard input is a pipe that the parent holds open.

Without that, a benchmark that was killed would leave trainings behind, which then keep their folders locked.
"""

import os
import sys
import threading

from deep import train
from theory.support.words import HELP


def _end_with_parent() -> None:
    os.read(0, 1)  # returns when the parent's end closes, however the parent ended
    os._exit(1)


def main() -> None:
    """Train with the options of the command line."""
    words = sys.argv[1:]
    if not set(HELP) & set(words):
        threading.Thread(target=_end_with_parent, daemon=True).start()
    train.main(words)


if __name__ == "__main__":
    main()
