"""What runs jobs: the protocol that every executor keeps, and the words it speaks.

The scheduler decides which attempt starts on which slot and what an ending means; an executor only starts attempts,
says which have ended, and stops them. Whatever process carries an attempt out calls
:func:`mvlpt.schedule.worker.attempt.carry_out`, so that an ending looks the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mvlpt.errors import ScheduleError, suggest
from mvlpt.schedule.jobs import Job
from mvlpt.schedule.slots import Slot

EXECUTORS = ("local", "inline", "ray", "slurm")
GRACE = 30.0  # seconds between the gentle stop of an attempt over its time limit and its end
RESULT, OUTPUT, PROGRESS = "result.json", "output.log", "progress.json"

RunCommand = Callable[[Sequence[str]], int]  # mvlpt.cli.main: the words after ``mvlpt``, to an exit status


@dataclass(frozen=True)
class Attempt:
    """One try at a job.

    Attributes:
        job: what is to be done.
        number: 1, 2, ...; counts every start of this job.
        folder: ``root/jobs/<job id>/<number>``; holds output.log, progress.json and, once it has ended, result.json.
        root: the plan's folder; absolute.
        command: the job's, with what this attempt adds to it.
        environment: variables set on top of the process's own.
        time_limit: seconds it may run; None for no limit.
        cwd: folder in which the command runs: the plan's fact ``cwd``; None for ``root``.
        grace: seconds that it has to save its state once its time is up.
    """

    job: Job
    number: int
    folder: Path
    root: Path
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    time_limit: float | None = None
    cwd: Path | None = None
    grace: float = GRACE

    @property
    def key(self) -> tuple[str, int]:
        """Job id and number: which attempt this is."""
        return self.job.id, self.number


@dataclass(frozen=True)
class Ended:
    """How an attempt ended.

    Attributes:
        job_id: whose attempt.
        number: which one.
        status: exit status; negative for the number of the signal that ended it.
        seconds: for which it ran.
        reason: one sentence where the status is not 0; begins with ``stopped`` where that was asked for.
        peak_mb: peak of its memory, MiB: of the device where there is one, else of main memory; 0 if unknown.
    """

    job_id: str
    number: int
    status: int
    seconds: float
    reason: str = ""
    peak_mb: float = 0.0


class Executor(Protocol):
    """A place that carries attempts out. All methods are called from one thread."""

    name: str

    def slots(self) -> Sequence[Slot]:
        """The capacity; a cluster executor gives as many slots as attempts may be in flight."""

    def start(self, attempt: Attempt, slot: Slot) -> str:
        """Starts an attempt; returns a handle that is journalled (process id, SLURM job id, ...).

        Must not raise over the job itself: what goes wrong with it is reported by :meth:`poll`.
        """

    def poll(self) -> list[Ended]:
        """The attempts that ended since the last call. Does not wait."""

    def wait(self, timeout: float) -> None:
        """Returns as soon as :meth:`poll` may have something to tell, at the latest after ``timeout`` seconds."""

    def stop(self, attempt: Attempt, *, now: bool) -> None:
        """Asks an attempt to save its state and end, or ends it at once. :meth:`poll` reports its ending."""

    def adopt(self, attempt: Attempt, handle: str) -> bool:
        """Takes over an attempt of a scheduler that is gone.

        Returns:
            True if it still runs and :meth:`poll` will report it. Otherwise nothing of it is left running.
        """

    def close(self) -> None:
        """Ends everything this executor keeps running on this machine."""


def make_executor(name: str, *, run_command: RunCommand | None = None, **options: Any) -> Executor:
    """An executor by its name.

    Args:
        name: one of :data:`EXECUTORS`.
        run_command: ``mvlpt.cli.main``, for executors that run commands of ``mvlpt`` in a process that is warm; without
            it such commands are run as programs.
        options: the executor's own; text is read as the option's type.

    Raises:
        ScheduleError: an unknown name or option.
        MissingExtraError: the library that the executor needs is not installed.
    """
    from mvlpt.schedule.executors.options import read_options

    if name == "local":
        from mvlpt.schedule.executors.local.executor import LocalExecutor, LocalOptions

        return LocalExecutor(read_options(LocalOptions, options, name))
    if name == "inline":
        from mvlpt.schedule.executors.inline import InlineExecutor, InlineOptions

        read_options(InlineOptions, options, name)
        return InlineExecutor(run_command)
    if name == "ray":
        from mvlpt.schedule.executors.options import RayOptions
        from mvlpt.schedule.executors.ray.executor import RayExecutor

        return RayExecutor(read_options(RayOptions, options, name), run_command)
    if name == "slurm":
        from mvlpt.schedule.executors.options import SlurmOptions
        from mvlpt.schedule.executors.slurm.executor import SlurmExecutor

        return SlurmExecutor(read_options(SlurmOptions, options, name), run_command)
    raise ScheduleError(f"No executor '{name}'{suggest(name, EXECUTORS)}")
