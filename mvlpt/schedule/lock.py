"""One scheduler per folder."""

from __future__ import annotations

import json
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from mvlpt.errors import ScheduleError
from mvlpt.io import (
    LockHeldError,
    LocksUnsupportedError,
    check_encoding,
    file_lock,
    is_locked,
    read_json,
    sweep_leftovers,
)

FILE = "scheduler.lock"


class FolderTakenError(ScheduleError):
    """Another scheduler works on the folder."""


class SchedulerLock:
    """Context that holds a folder for one scheduler; the system releases it when the process dies, however it dies.

    Args:
        root: the plan's folder.

    Raises:
        FolderTakenError: another scheduler holds it; the message names its host and process.
        ScheduleError: it cannot be written, or its name is not UTF-8.
    """

    def __init__(self, root: Path) -> None:
        check_encoding(root.absolute(), ScheduleError)
        self._root, self._path = root, root / FILE
        self._held = ExitStack()

    def __enter__(self) -> SchedulerLock:
        with ExitStack() as stack:
            try:
                self._root.mkdir(parents=True, exist_ok=True)
                number = stack.enter_context(file_lock(self._path))
                os.ftruncate(number, 0)
                os.pwrite(number, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode(), 0)
            except LockHeldError:
                raise _taken(self._root) from None
            except LocksUnsupportedError as error:
                raise ScheduleError(
                    f"The file system of {self._root} has no locks, so nothing would keep a second scheduler out;"
                    " choose a folder on another one"
                ) from error
            except OSError as error:
                raise ScheduleError(
                    f"Cannot write {self._path}: {error.strerror or error}; free or choose another folder"
                ) from error
            sweep_leftovers(self._root)
            self._held = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()


def holder(root: Path) -> str:
    """``host H, process P`` of the scheduler that locked the folder last."""
    try:
        record = read_json(root / FILE, error=ScheduleError)
        return f"host {record['host']}, process {record['pid']}"
    except (ScheduleError, KeyError, TypeError):
        return "it does not say on which host"


def is_running(root: Path) -> bool:
    """Whether a scheduler holds the folder at this moment."""
    return is_locked(root / FILE)


def check_free(root: Path) -> None:
    """Refuses a folder that a scheduler holds, before anything in it is changed.

    Raises:
        FolderTakenError: the message names the scheduler's host and process.
    """
    if is_running(root):
        raise _taken(root)


def _taken(root: Path) -> FolderTakenError:
    return FolderTakenError(
        f"Another scheduler works on {root} ({holder(root)}); wait for it, stop it, or choose another folder"
    )
