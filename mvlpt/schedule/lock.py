"""One scheduler a folder: a lock that the system gives back when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path
from types import TracebackType

from mvlpt.errors import ScheduleError

FILE = "scheduler.lock"


class FolderTakenError(ScheduleError):
    """Another scheduler works on the folder."""


class SchedulerLock:
    """Context that holds a folder for one scheduler.

    Args:
        root: the plan's folder.

    Raises:
        FolderTakenError: another scheduler holds it; the message names its host and process.
        ScheduleError: it cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / FILE
        self._handle: int | None = None

    def __enter__(self) -> SchedulerLock:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise ScheduleError(
                f"Cannot write {self._path}: {error.strerror or error}; free or choose another folder"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise FolderTakenError(
                f"Another scheduler works on {self._path.parent} ({holder(self._path.parent)});"
                " wait for it, stop it, or choose another folder"
            ) from None
        except OSError as error:
            os.close(handle)
            raise ScheduleError(
                f"The file system of {self._path.parent} has no locks ({error.strerror}), so nothing would keep a"
                " second scheduler out; choose a folder on another one"
            ) from error
        self._handle = handle
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode(), 0)
        except OSError as error:
            self.__exit__(None, None, None)
            raise ScheduleError(f"Cannot write {self._path}: {error.strerror or error}; free the disk") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def holder(root: Path) -> str:
    """``host H, process P`` of the scheduler that locked the folder last."""
    try:
        record = json.loads((root / FILE).read_text())
        return f"host {record['host']}, process {record['pid']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it does not say on which host"


def is_running(root: Path) -> bool:
    """Whether a scheduler holds the folder at this moment."""
    try:
        handle = os.open(root / FILE, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(handle)
