"""Attempts that go to SLURM together: each batch is one ``sbatch``, an array where it holds several."""

from __future__ import annotations

import math
import secrets
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mvlpt.errors import MissingExtraError, ScheduleError
from mvlpt.schedule.executors.options import pairs
from mvlpt.schedule.executors.slurm.job import SlurmJob
from mvlpt.schedule.executors.slurm.options import SlurmOptions

if TYPE_CHECKING:
    from mvlpt.schedule.attempts import Attempt, RunCommand

PREFIX = "mvlpt-"
_PASSING = ("unable to contact", "timed out", "temporarily", "try again", "connection", "limit", "slurm_persist_conn")


@dataclass
class Batch:
    """Attempts with the same needs.

    Attributes:
        minutes: their time limit.
        limited: the limit is the jobs' own, so that one that reaches it has failed.
        attempts: in the order of their places in the array.
        name: of the SLURM job; tells the batch from all others, and finds it in the queue whatever happens to us.
    """

    minutes: int
    limited: bool
    attempts: list[Attempt] = field(default_factory=list)
    name: str = field(default_factory=lambda: PREFIX + secrets.token_hex(6))


def time_limit(attempt: Attempt, options: SlurmOptions) -> tuple[int, bool]:
    """Minutes that SLURM gives the attempt, and whether they follow from a limit of its own.

    The attempt keeps its own limit to the second; SLURM counts in minutes and only ends what outlives that.
    """
    if attempt.time_limit is None:
        return options.minutes, False
    return math.ceil((attempt.time_limit + attempt.grace + options.signal_seconds) / 60) + 1, True


def submit(batch: Batch, options: SlurmOptions, run_command: RunCommand | None = None) -> list[str]:
    """Hands a batch to SLURM; returns the ids of its jobs, in the order of its attempts.

    Raises:
        ScheduleError: SLURM refuses it.
        MissingExtraError: submitit is not installed.
    """
    submitit = import_submitit()
    folder = batch.attempts[0].root / "slurm" / batch.name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sacct, which we do not use
        executor = submitit.SlurmExecutor(folder, max_num_timeout=0 if batch.limited else options.continuations)
        try:
            executor.update_parameters(**parameters(batch, options))
            with executor.batch():
                jobs = [executor.submit(SlurmJob(attempt, run_command)) for attempt in batch.attempts]
        except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError, OSError) as error:
            text = " ".join(str(error).split())
            raise ScheduleError(f"SLURM does not take the job '{batch.attempts[0].job.name}': {text}") from error
        return [job.job_id for job in jobs]


def passing(error: ScheduleError) -> bool:
    """Whether a refusal is of the kind that goes away by itself."""
    return any(sign in str(error).lower() for sign in _PASSING)


def parameters(batch: Batch, options: SlurmOptions) -> dict[str, Any]:
    """What submitit's ``update_parameters`` is to be given."""
    further: dict[str, Any] = dict(pairs(options.sbatch, "slurm: sbatch", "=", ";"))
    further["requeue" if options.requeue else "no-requeue"] = True
    wanted: Mapping[str, Any] = {
        "job_name": batch.name,
        "time": batch.minutes,
        "partition": options.partition,
        "account": options.account,
        "qos": options.qos,
        "constraint": options.constraint,
        "cpus_per_task": options.cpus,
        "gpus_per_node": options.gpus,
        "mem": f"{math.ceil(options.memory_gb * 1024)}MB" if options.memory_gb else "",
        "array_parallelism": options.array_parallelism,
        "signal_delay_s": options.signal_seconds,
        "setup": [options.setup] if options.setup else None,
        "srun_args": [f"--cpus-per-task={options.cpus}"],  # since SLURM 22.05 srun does not take it from sbatch
        "comment": batch.attempts[0].root.name,
        "additional_parameters": further,
    }
    return {name: value for name, value in wanted.items() if value}


def import_submitit() -> Any:
    """The library.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import submitit
        import submitit.core.utils
    except ImportError:
        raise MissingExtraError("The slurm executor needs submitit; pip install 'mvlpt[slurm]'") from None
    return submitit
