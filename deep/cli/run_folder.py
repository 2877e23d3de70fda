"""What can be said of a run's folder before torch is imported."""

from pathlib import Path

from theory.support.errors import InputError


def check_folder(path: Path, resume: bool) -> None:
    """Raise `InputError` where a folder holds a run that cannot be started or resumed there; nothing is changed."""
    if (path / "config.json").exists() and not resume:
        raise InputError(f"--out {path} already holds a run: give another folder, or --resume to go on with it")
    if resume and (path / "summary.json").exists() and not (path / "checkpoint.safetensors").exists():
        raise InputError(
            f"--resume: the run in {path} is finished and its checkpoint.safetensors is gone: restore that file, or "
            "train again in another folder; nothing was changed"
        )


def check_run(path: Path) -> None:
    """Raise `InputError` where a folder holds no run."""
    if not (path / "config.json").exists():
        raise InputError(f"there is no run in {path} (no config.json in it)")
