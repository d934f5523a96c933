"""Jobs as processes on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from mvlpt.schedule.attempts import RunCommand
from mvlpt.schedule.executors.local.options import LocalOptions
from mvlpt.schedule.executors.protocol import Executor
from mvlpt.schedule.executors.registry import ExecutorSpec, register_executor
from mvlpt.schedule.slots import Slot, local_slots


def _build(options: LocalOptions, run_command: RunCommand | None) -> Executor:
    from mvlpt.schedule.executors.local.executor import LocalExecutor

    return LocalExecutor(options)


def _planned_slots(options: LocalOptions) -> Sequence[Slot]:
    return local_slots(options.slots, options.gpu_share, options.device)


register_executor(
    ExecutorSpec(
        "local",
        help="a process for each GPU or CPU core of this machine",
        build=_build,
        options=LocalOptions,
        planned_slots=_planned_slots,
        jobs_option="slots",
    )
)
