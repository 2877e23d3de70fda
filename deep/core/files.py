"""Files that show when they were damaged, and folders that one process has at a time."""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from theory.support.errors import InputError
from theory.support.files import remove_leftovers, write_whole, writing

NOTES, DIGEST = "notes", "sha256"
"""The entry of a file's metadata; the note in it that holds the digest of all the rest."""


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds; raises `InputError` where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise InputError(f"{path} cannot be read as JSON (it is nested too deeply)") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON ({_one_line(error)})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a JSON {type(content).__name__}: an object with named entries is accepted")
    return content


@contextmanager
def wrong_form(path: Path, kind: str) -> Iterator[None]:
    """Say in one sentence that the content of a file is not what it should be, where reading its entries goes wrong.

    An `InputError` that says so already passes.
    """
    try:
        yield
    except InputError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {_one_line(error)}"
        raise InputError(f"{path} does not hold {kind} ({what}): put the file back as it was written") from None


def write_tensors(path: Path, tensors: Mapping[str, Tensor], notes: Mapping[str, str]) -> None:
    """Write tensors and notes as a safetensors file that holds a digest of both, whole or not at all."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # One entry, because several come in an order that differs from file to file.
    metadata = {NOTES: json.dumps({**notes, DIGEST: _digest(contiguous, notes)}, sort_keys=True)}
    write_whole(path, save(contiguous, metadata=metadata))


def read_tensors(path: Path, kind: str, otherwise: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and notes of such a file, its digest among them.

    Raises `InputError` for one that is damaged or cannot be opened. The sentence calls the file `kind`, and says what
    else can be done than to put it back: `otherwise`.
    """
    way = f"put it back as it was written, or {otherwise}"
    try:
        with safe_open(path, "pt") as file:
            notes = json.loads((file.metadata() or {}).get(NOTES, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except OSError as error:
        raise InputError(f"{path}, {kind}, cannot be opened ({_one_line(error)}): {way}") from None
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{path}, {kind}, is damaged or cut off ({_one_line(error)}): {way}") from None
    if not isinstance(notes, dict) or DIGEST not in notes:
        raise InputError(f"{path}, {kind}, was not written by this project (it has no digest of its content): {way}")
    if notes[DIGEST] != _digest(tensors, notes):
        raise InputError(f"{path}, {kind}, is damaged (its content has another digest): {way}")
    return tensors, notes


def _digest(tensors: Mapping[str, Tensor], notes: Mapping[str, str]) -> str:
    """Of the tensors and of all notes but the digest itself."""
    others = {name: note for name, note in notes.items() if name != DIGEST}
    digest = sha256(json.dumps(others, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


class Lock:
    """Has a folder for this process, until `release` is called, the object is gone, or the process ends in any way.

    The system holds the lock on the file .lock, so that one that a killed process leaves behind keeps nobody out. The
    file names the process that has it, where the system lets others read it (not on Windows).

    Raises `InputError` where another process has it. Leftovers of processes that were killed while they wrote are
    removed.
    """

    def __init__(self, folder: Path) -> None:
        place = folder / ".lock"
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._held: list[int] = []  # the file's descriptor
            opened = self._held.append  # no method of this object, which would keep it from going
            self._lock = FileLock(place, thread_local=False, fallback_to_soft=False, on_acquired=opened)
            try:
                self._lock.acquire(blocking=False)
            except Timeout:
                holder = _signature(place)
                raise InputError(
                    f"another process{holder} is at work in {folder}: give another folder, or wait"
                ) from None
        _sign(self._held[0], f"{os.getpid()} on {socket.gethostname()}\n")
        remove_leftovers(folder)

    def release(self) -> None:
        """Let another process have the folder; once more changes nothing."""
        if self._lock.is_locked:
            _sign(self._held[0], "")
        self._lock.release()


def _sign(descriptor: int, text: str) -> None:
    """Write who has the lock into its file."""
    with suppress(OSError):  # a full disk keeps nobody from having a lock
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, text.encode())


def _signature(place: Path) -> str:
    """Who has the lock, in brackets; nothing where the file does not say it."""
    with suppress(OSError, ValueError):
        if text := place.read_text(encoding="utf-8").strip():
            return f" ({text})"
    return ""
