"""Ctrl-C for child processes."""

import signal


def heed_interrupts() -> None:
    """For `preexec_fn`: the child heeds SIGINT even where this process was started to ignore it, as behind `&`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
