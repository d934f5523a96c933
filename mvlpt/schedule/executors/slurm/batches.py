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
from mvlpt.schedule.executors.slurm.plain_paths import TAGS, plain_executor

if TYPE_CHECKING:
    from mvlpt.schedule.attempts import Attempt, RunCommand

PREFIX = "mvlpt-"
_TEMPORARY = ("unable to contact", "timed out", "temporarily", "try again", "connection", "limit", "slurm_persist_conn")
_USER_LIMIT = ("submit limit", "submitjob", "maxjobs")
_CLUSTER_FULL = ("maximum number of jobs", "temporarily unable to accept job")
_SHARED_LIMIT = ("grpsubmit", "grpjobs", "peraccount")  # of an account, which others use as well
_ARRAY_LIMIT = ("invalid job array",)


@dataclass
class Batch:
    """Attempts with the same time limit, submitted together.

    Attributes:
        minutes: their time limit.
        limited: the limit is the jobs' own, so that one that reaches it has failed.
        attempts: the most urgent first.
        pack: most attempts that one job runs.
        name: of the SLURM job; unique, so that the batch is found in the queue whatever happens to the scheduler.
    """

    minutes: int
    limited: bool
    attempts: list[Attempt] = field(default_factory=list)
    pack: int = 1
    name: str = field(default_factory=lambda: PREFIX + secrets.token_hex(6))

    @property
    def jobs(self) -> int:
        """Jobs of SLURM's: 1, or those of an array."""
        return math.ceil(len(self.attempts) / self.pack)

    def index(self, number: int) -> int:
        """Index of the job that runs the attempt of this number; the most urgent ones go to different jobs."""
        return number % self.jobs

    def packs(self) -> list[list[Attempt]]:
        """The attempts of each job, in the order in which it runs them."""
        return [self.attempts[index :: self.jobs] for index in range(self.jobs)]

    def halved(self) -> list[Batch]:
        """Two batches with new names, each with one half of the attempts."""
        middle = len(self.attempts) // 2
        parts = (self.attempts[:middle], self.attempts[middle:])
        return [Batch(self.minutes, self.limited, part, self.pack) for part in parts]


def time_limit(attempt: Attempt, options: SlurmOptions, count: int = 1) -> tuple[int, bool]:
    """Minutes that SLURM gives a job of ``count`` such attempts, and whether they follow from a limit of the attempts.

    An attempt keeps its own limit to the second; SLURM counts in minutes and only ends what outlives that.
    """
    if attempt.time_limit is None:
        return options.minutes, False
    return math.ceil((count * (attempt.time_limit + attempt.grace) + options.signal_seconds) / 60) + 1, True


def submit(batch: Batch, options: SlurmOptions, run_command: RunCommand | None = None) -> list[str]:
    """Hands a batch to SLURM; returns for each attempt the id of the job that runs it.

    Raises:
        ScheduleError: SLURM refuses it.
        MissingExtraError: submitit is not installed.
    """
    submitit = import_submitit()
    folder = batch.attempts[0].root / "slurm" / batch.name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sacct, which we do not use
        make = plain_executor if any(tag in str(folder) for tag in TAGS) else submitit.SlurmExecutor
        executor = make(folder, max_num_timeout=0 if batch.limited else options.continuations)
        try:
            executor.update_parameters(**parameters(batch, options, str(folder)))
            with executor.batch():
                jobs = [executor.submit(SlurmJob(pack, run_command)) for pack in batch.packs()]
        except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError, OSError) as error:
            text = " ".join(str(error).split())
            raise ScheduleError(f"SLURM does not take the job '{batch.attempts[0].job.name}': {text}") from error
        return [jobs[batch.index(number)].job_id for number in range(len(batch.attempts))]


def is_temporary(error: ScheduleError) -> bool:
    """Whether a refusal goes away by itself."""
    return _says(error, _TEMPORARY) and not is_user_limit(error)


def is_user_limit(error: ScheduleError) -> bool:
    """Whether SLURM refuses a job because the user has as many jobs as one may."""
    return _says(error, _USER_LIMIT)


def is_shared_limit(error: ScheduleError) -> bool:
    """Whether the jobs of others may be why SLURM refuses one: of the user's account, or of the whole cluster."""
    return _says(error, _SHARED_LIMIT) or is_cluster_full(error)


def is_array_limit(error: ScheduleError) -> bool:
    """Whether SLURM refuses an array, which is how it answers to one of too many jobs."""
    return _says(error, _ARRAY_LIMIT)


def is_cluster_full(error: ScheduleError) -> bool:
    """Whether SLURM refuses a job because the cluster has as many jobs as it can."""
    return _says(error, _CLUSTER_FULL)


def _says(error: ScheduleError, signs: tuple[str, ...]) -> bool:
    return any(sign in str(error).lower() for sign in signs)


def parameters(batch: Batch, options: SlurmOptions, folder: str = "") -> dict[str, Any]:
    """The arguments of submitit's ``update_parameters``.

    Args:
        batch: what is submitted.
        options: of the executor.
        folder: of submitit's files; where its name has a ``%``, SLURM is given the names of the logs with ``%%``.
    """
    further: dict[str, Any] = dict(pairs(options.sbatch, "slurm: sbatch", "=", ";"))
    further["requeue" if options.requeue else "no-requeue"] = True
    srun = [f"--cpus-per-task={options.cpus}"]  # since SLURM 22.05 srun does not take it from sbatch
    if "%" in folder:
        job = "%A_%a" if batch.jobs > 1 else "%j"
        further["output"], further["error"] = (
            f"{folder.replace('%', '%%')}/{job}_0_log.{end}" for end in ("out", "err")
        )
        srun += ["--output=all", "--error=all"]  # to the files of the job; srun reads "%%" in two ways
    longest = len(batch.packs()[0])
    limits = [time_limit(attempt, options, longest)[0] for attempt in batch.attempts] if longest > 1 else []
    wanted: Mapping[str, Any] = {
        "job_name": batch.name,
        "time": max(limits, default=batch.minutes),
        "partition": options.partition,
        "account": options.account,
        "qos": options.qos,
        "constraint": options.constraint,
        "cpus_per_task": options.cpus,
        "gpus_per_node": options.gpus,
        "mem": f"{math.ceil(options.memory_gb * 1024)}MB" if options.memory_gb else "",
        "array_parallelism": options.array_parallelism,
        "signal_delay_s": options.signal_seconds,
        # a node's Python imports nothing from the folder in which the user started the scheduler
        "setup": ["export PYTHONSAFEPATH=1", *([options.setup] if options.setup else [])],
        "srun_args": srun,
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
