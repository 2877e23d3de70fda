"""Rendering to arrays, off-screen: what all simulators share."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from theory.support.errors import InputError

RENDER_MODES = (None, "rgb_array")
SIZE = 480
"""Width and height of a frame, in pixels."""


def check_ranges(render_mode: str | None) -> None:
    """Reject any other render mode; without a display, MuJoCo is to render by EGL, unless the user has chosen."""
    if render_mode not in RENDER_MODES:
        raise InputError(f"render mode {render_mode!r} is not accepted: use None or 'rgb_array'")
    if render_mode and sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")


@contextmanager
def rendering(task: str, render_mode: str | None) -> Iterator[None]:
    """Turn a failure to render this task into an `InputError` that says what is needed."""
    if render_mode is None:
        raise InputError(f"{task} was made without a render mode: make it with 'rgb_array'")
    try:
        yield
    except Exception as error:  # which exception depends on the driver that is missing
        raise InputError(
            f"{task} cannot be rendered here ({error}): rendering needs a display or the EGL libraries"
        ) from error
