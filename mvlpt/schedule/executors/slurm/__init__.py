"""Jobs on a SLURM cluster."""

from __future__ import annotations

from collections.abc import Sequence

from mvlpt.schedule.attempts import RunCommand
from mvlpt.schedule.executors.protocol import Executor
from mvlpt.schedule.executors.registry import ExecutorSpec, register_executor
from mvlpt.schedule.executors.slurm.options import SlurmOptions
from mvlpt.schedule.slots import Slot, cpu_slots


def _build(options: SlurmOptions, run_command: RunCommand | None) -> Executor:
    from mvlpt.schedule.executors.slurm.executor import SlurmExecutor

    return SlurmExecutor(options, run_command)


def _planned_slots(options: SlurmOptions) -> Sequence[Slot]:
    return cpu_slots(options.jobs)


def _uses_gpus(options: SlurmOptions) -> bool:
    return options.gpus > 0


register_executor(
    ExecutorSpec(
        "slurm",
        help="jobs of a SLURM cluster, submitted through submitit",
        build=_build,
        options=SlurmOptions,
        planned_slots=_planned_slots,
        jobs_option="jobs",
        local=False,
        uses_gpus=_uses_gpus,
    )
)
