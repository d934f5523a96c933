"""Finding and killing whatever a worker started, by a mark in the environment that children inherit.

A process group is not enough: a program may start a session of its own. The mark is an environment variable of the
worker; Linux shows the environment with which a process began in ``/proc/<pid>/environ``.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

VARIABLE = "MVLPT_WORKER"  # scheduler's process id, worker's number, folder


def mark(number: int, root: Path) -> str:
    """The mark of this scheduler's worker of that number."""
    return f"{os.getpid()}.{number}:{root}"


def marked(chosen: Callable[[str], bool]) -> list[int]:
    """Ids of this machine's processes whose mark is chosen, without this one; zombies do not count."""
    found = []
    wanted = VARIABLE.encode() + b"="
    for entry in os.scandir("/proc") if os.path.isdir("/proc/self") else ():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                words = Path(entry.path, "environ").read_bytes().split(b"\0")
                values = [os.fsdecode(word[len(wanted) :]) for word in words if word.startswith(wanted)]
                if values and chosen(values[0]):
                    found.append(int(entry.name))
    return found


def kill_marked(chosen: Callable[[str], bool], seconds: float = 5.0) -> int:
    """Kills every process whose mark is chosen, and those they start meanwhile; returns their number."""
    killed: set[int] = set()
    deadline = time.monotonic() + seconds
    while True:
        left = marked(chosen)
        if not left or time.monotonic() > deadline:
            return len(killed)
        for ident in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(ident, signal.SIGKILL)
        killed.update(left)
        time.sleep(0.002)


def is_leftover(value: str, root: Path) -> bool:
    """Whether a mark belongs to a worker of another scheduler on this folder; since we hold it, that one is gone."""
    owner, _, folder = value.partition(":")
    return folder == str(root) and owner.split(".")[0] != str(os.getpid())
