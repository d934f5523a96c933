"""One try at a job: what is to be run, how it ended, and the files that it leaves in its folder."""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mvlpt.errors import BAD_INPUT, DISK_FULL, INTERRUPTED, OUT_OF_MEMORY, ScheduleError
from mvlpt.io import read_json, write_json
from mvlpt.schedule.jobs import Job

GRACE = 30.0  # seconds between the request to stop an attempt over its time limit and its kill
RESULT, OUTPUT, PROGRESS = "result.json", "output.log", "progress.json"
FAILED, TIMED_OUT = 1, 124  # exit statuses besides those of mvlpt.errors

LARGEST = 2**20  # bytes of a result; commands may be long
LONGEST_REASON = 1000  # characters

log = logging.getLogger(__name__)

RunCommand = Callable[[Sequence[str]], int]  # the words after ``mvlpt``, to an exit status


@dataclass(frozen=True)
class Attempt:
    """One try at a job.

    Attributes:
        job: the job.
        number: 1, 2, ...; counts every start of this job.
        folder: ``root/jobs/<job id>/<number>``; holds output.log, progress.json and, once it has ended, result.json.
        root: the plan's folder; absolute.
        command: the job's, with what this attempt adds to it.
        environment: variables set on top of the process's own.
        time_limit: seconds it may run; None for no limit.
        cwd: folder in which the command runs, ``cwd`` in the plan's metadata; None for ``root``.
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

    @property
    def working_folder(self) -> Path:
        """The folder in which the command runs."""
        return self.cwd or self.root


@dataclass(frozen=True)
class AttemptResult:
    """How an attempt ended.

    Attributes:
        job_id: whose attempt.
        number: which one.
        status: exit status; negative for the number of the signal that ended it.
        seconds: running time.
        reason: one sentence where the status is not 0; begins with ``stopped`` where that was asked for.
        peak_mb: peak of its memory, MiB: of the device where there is one, else of main memory; 0 if unknown.
    """

    job_id: str
    number: int
    status: int
    seconds: float
    reason: str = ""
    peak_mb: float = 0.0


def attempt_folder(root: Path, job_id: str, number: int) -> Path:
    """Where an attempt keeps its output, progress and result."""
    return root / "jobs" / job_id / str(number)


def write_result(attempt: Attempt, result: AttemptResult) -> None:
    """Writes ``result.json``, whole or not at all; with it the attempt has ended.

    Raises:
        RunFolderError: it cannot be written.
    """
    record = {
        "job": result.job_id, "attempt": result.number, "status": result.status, "seconds": result.seconds,
        "reason": result.reason, "peak_mb": result.peak_mb, "command": list(attempt.command), "ended": time.time(),
    }  # fmt: skip
    write_json(record, attempt.folder / RESULT)


def read_result(attempt: Attempt) -> AttemptResult | None:
    """How an attempt ended, by its ``result.json``; None where it has not.

    A file that is not the result of this attempt, as a job may write one, is moved to ``rejected`` beside it.
    """
    path = attempt.folder / RESULT
    try:
        path.lstat()
    except OSError:
        return None
    try:
        record = read_json(path, error=ScheduleError, largest=LARGEST)
        result = AttemptResult(
            record["job"], int(record["attempt"]), int(record["status"]), float(record["seconds"]),
            str(record["reason"])[:LONGEST_REASON], float(record["peak_mb"]),
        )  # fmt: skip
        numbers = (result.seconds, result.peak_mb)
        if (result.job_id, result.number) == attempt.key and all(0 <= number < math.inf for number in numbers):
            return result
    except ScheduleError as error:
        if may_pass(error):
            return None
    except (KeyError, TypeError, ValueError, OverflowError):
        pass
    log.warning("%s is not the result of this attempt; it is passed over", path)
    quarantine(path)
    return None


def may_pass(error: Exception) -> bool:
    """Whether a file could not be read because of its file system, which may answer the next time."""
    return getattr(error.__cause__, "errno", None) is not None


def quarantine(path: Path) -> None:
    """Moves a file that cannot be used into the folder ``rejected`` beside it, where nothing reads it again."""
    folder = path.parent / "rejected"
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        path.replace(folder / f"{time.time_ns()}-{path.name}")


def missing_outputs(attempt: Attempt) -> list[str]:
    """The job's outputs that do not exist."""
    return [path for path in attempt.job.outputs if not (attempt.root / path).exists()]


def describe_exit_status(status: int) -> str:
    """What an exit status means by itself; ``""`` for 0."""
    if status == 0:
        return ""
    if status < 0:
        with suppress(ValueError):
            return f"ended by signal {-status} ({signal.Signals(-status).name})"
    known = {
        BAD_INPUT: "bad input",
        OUT_OF_MEMORY: "out of memory",
        DISK_FULL: "no space left",
        INTERRUPTED: "interrupted",
    }
    return f"ended with status {status}" + (f", {known[status]}" if status in known else "")
