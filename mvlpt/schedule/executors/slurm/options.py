"""Options of the SLURM executor."""

from __future__ import annotations

from dataclasses import dataclass

from mvlpt.schedule.executors.options import pairs, require_at_least


@dataclass(frozen=True)
class SlurmOptions:
    """How jobs run on SLURM; what is empty or 0 is left to the cluster's defaults.

    Attributes:
        partition: one or several, separated by commas.
        account: what the jobs are charged to.
        qos: quality of service.
        constraint: features that the node must have.
        minutes: time limit of a job that has none of its own.
        cpus: CPU cores per job.
        gpus: GPUs per job.
        memory_gb: main memory per job.
        jobs: queued or running at most.
        pack: attempts that one job of SLURM's runs at most, one after the other; for many short ones.
        arrays: jobs that are started together are submitted as one array.
        array_parallelism: jobs of one array that run at once.
        requeue: a job that is preempted, or whose node is lost, goes back into the queue.
        continuations: how often a job without a time limit of its own that reaches ``minutes`` saves its state and goes
            back into the queue.
        signal_seconds: time before its limit at which a job is asked to save its state.
        poll_seconds: the queue is read this often at most.
        setup: shell commands before each job, such as ``module load cuda``.
        sbatch: further parameters of sbatch, such as ``nodelist=a1,reservation=r``, separated by semicolons.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    minutes: int = 60
    cpus: int = 1
    gpus: int = 0
    memory_gb: float = 0.0
    jobs: int = 64
    pack: int = 1
    arrays: bool = True
    array_parallelism: int = 256
    requeue: bool = True
    continuations: int = 3
    signal_seconds: int = 90
    poll_seconds: float = 2.0
    setup: str = ""
    sbatch: str = ""

    def __post_init__(self) -> None:
        require_at_least("slurm", self, minutes=1, cpus=1, gpus=0, memory_gb=0, jobs=1, pack=1)
        require_at_least("slurm", self, array_parallelism=1, continuations=0, signal_seconds=1, poll_seconds=0)
        pairs(self.sbatch, "slurm: sbatch", "=", ";")
