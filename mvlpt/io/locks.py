"""A lock on a file or folder, which the system releases when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mvlpt.errors import MvlptError

TRIES, PAUSE = 5, 0.02  # seconds: whoever only asks by is_locked holds a lock for less


class LockHeldError(MvlptError, BlockingIOError):
    """Another process holds the lock."""


class LocksUnsupportedError(MvlptError, OSError):
    """The file system has no locks."""


@contextmanager
def file_lock(path: str | os.PathLike[str]) -> Iterator[int]:
    """Holds the lock of a file, which is made when it is missing, or of a folder.

    Yields:
        The open file's number; a file is open for reading and writing.

    Raises:
        LockHeldError: another process holds it.
        LocksUnsupportedError: the file system has no locks.
        OSError: the file or folder cannot be opened.
    """
    target = Path(path)
    folder = target.is_dir()
    number = os.open(target, os.O_RDONLY if folder else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _acquire(number, target)
        yield number
    finally:
        os.close(number)


def _acquire(number: int, target: Path) -> None:
    for left in reversed(range(TRIES)):
        try:
            return fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                raise LockHeldError(f"Another process holds {target}; wait for it or stop it") from None
            time.sleep(PAUSE)
        except OSError as error:
            raise LocksUnsupportedError(
                f"The file system of {target} has no locks ({error.strerror}); choose a folder on another one"
            ) from error


def is_locked(path: str | os.PathLike[str]) -> bool:
    """Whether a process holds the lock of a file at this moment."""
    try:
        number = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(number)
