"""Jobs on a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence

from mvlpt.schedule.attempts import RunCommand
from mvlpt.schedule.executors.protocol import Executor
from mvlpt.schedule.executors.ray.options import RayOptions
from mvlpt.schedule.executors.registry import ExecutorSpec, register_executor
from mvlpt.schedule.slots import Slot, cpu_slots

_PLANNED = 64  # slots of a dry run where the cluster, which is not asked, decides


def _build(options: RayOptions, run_command: RunCommand | None) -> Executor:
    from mvlpt.schedule.executors.ray.executor import RayExecutor

    return RayExecutor(options, run_command)


def _planned_slots(options: RayOptions) -> Sequence[Slot]:
    return cpu_slots(options.jobs or _PLANNED)


def _uses_gpus(options: RayOptions) -> bool:
    return options.gpus != 0


register_executor(
    ExecutorSpec(
        "ray",
        help="tasks on a Ray cluster, or on a Ray started here",
        build=_build,
        options=RayOptions,
        planned_slots=_planned_slots,
        jobs_option="jobs",
        opens_freely=False,  # it may start a cluster
        local=False,
        uses_gpus=_uses_gpus,
    )
)
