"""What can be said of a run's folder before torch is imported."""

from pathlib import Path

from theory.support.errors import InputError

FILES = (
    "checkpoint.safetensors", "summary.json", "evaluation.json", "metrics.jsonl", "sessions.json", "metrics.csv",
    "tensorboard", "results.png", "training.png", "page.html", "deployment.html", "film.gif"
)  # fmt: skip
"""What the folder of a run holds beside config.json, which a run in it writes or shows."""


def check_folder(path: Path, resume: bool) -> None:
    """Raise `InputError` where a folder holds a run that cannot be started or resumed there; nothing is changed.

    Nor can one be started beside the files of a run whose config.json is gone, or files of their names: it would
    replace some of them and leave the others, as if they were its own.
    """
    if (path / "config.json").exists():
        if not resume:
            raise InputError(f"--out {path} already holds a run: give another folder, or --resume to go on with it")
    elif left := [name for name in FILES if _holds(path / name)]:
        raise InputError(
            f"--out {path} holds {' and '.join(left[:2])}{' and others' if left[2:] else ''} and no config.json: give "
            "another folder, or put that run's config.json back and add --resume; nothing was changed"
        )
    if resume and not (path / "config.json").exists() and not (path / ".lock").exists():
        raise InputError(f"--resume: there is no run in {path} (no config.json in it)")
    if resume and (path / "summary.json").exists() and not (path / "checkpoint.safetensors").exists():
        raise InputError(
            f"--resume: the run in {path} is finished and its checkpoint.safetensors is gone: restore that file, or "
            "train again in another folder; nothing was changed"
        )


def _holds(path: Path) -> bool:
    """Whether there is such a file or folder; an empty metrics.jsonl is what a run writes before config.json."""
    return path.exists() and not (path.name == "metrics.jsonl" and path.stat().st_size == 0)


def check_no_run(path: Path) -> None:
    """Raise `InputError` where a folder holds a run, whose summary.json another command would replace."""
    if (path / "config.json").exists():
        raise InputError(f"--out {path} holds a run of deep.train: give another folder; nothing was changed")


def check_run(path: Path) -> None:
    """Raise `InputError` where a folder holds no run."""
    if not (path / "config.json").exists():
        raise InputError(f"there is no run in {path} (no config.json in it)")
