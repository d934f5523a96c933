"""SLURM's queue, read and changed through its commands; needs no accounting database."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.errors import ScheduleError

OVER = frozenset(
    ("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT")
)  # states that a job never leaves; one that is put back into the queue does not show them
COMMANDS = ("sbatch", "srun", "squeue", "scancel", "scontrol")
_SECONDS = 60
_DEFAULT_ARRAY = 1001


@dataclass(frozen=True)
class QueuedJob:
    """One job as squeue shows it.

    Attributes:
        id: ``17``, or ``17_3`` for a job of an array.
        name: of the job.
        state: such as ``RUNNING``.
        why: SLURM's reason for it, such as ``Resources``; may be ``None``.
    """

    id: str
    name: str
    state: str
    why: str

    @property
    def alive(self) -> bool:
        """Whether it waits, runs, or will do so again."""
        return self.state not in OVER

    @property
    def index(self) -> int:
        """Its index in its array; 0 for a job outside arrays."""
        _, sign, index = self.id.partition("_")
        return int(index) if sign and index.isdigit() else 0


def require_slurm() -> None:
    """Checks that SLURM's commands are on this machine.

    Raises:
        ScheduleError: one is missing.
    """
    absent = [name for name in COMMANDS if shutil.which(name) is None]
    if absent:
        raise ScheduleError(
            f"The slurm executor finds no '{absent[0]}' on this machine; start it on a login node of the cluster"
        )


def read_queue() -> dict[str, QueuedJob] | None:
    """This user's jobs, also those that ended a short while ago, by id; None where SLURM does not answer."""
    command = ["squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}", "--format=%i|%T|%r|%j"]
    text = _run(command)
    if text is None:
        return None
    found = {}
    for line in text.splitlines():
        ident, state, why, name = (word.strip() for word in line.split("|", 3))
        found[ident] = QueuedJob(ident, name, state, why)
    return found


def largest_array() -> int:
    """Jobs that an array may have on this cluster; SLURM's default where it does not answer."""
    text = _run(["scontrol", "show", "config"]) or ""
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "MaxArraySize" and value.strip().isdigit():
            return max(1, int(value))
    return _DEFAULT_ARRAY


def cancel(ids: Sequence[str], signal: str = "", waiting: bool = False) -> None:
    """Cancels jobs, or sends a signal to the processes of those that run.

    Args:
        ids: of jobs; those that are gone are skipped.
        signal: such as ``INT``; empty cancels.
        waiting: only those that wait in the queue.
    """
    if ids:
        options = [f"--signal={signal}"] * bool(signal) + ["--state=PENDING"] * waiting
        _run(["scancel", "--quiet", *options, *ids])


def _run(command: Sequence[str]) -> str | None:
    """What a command prints; None where it fails or takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
