"""Where jobs run: this machine, Ray, SLURM, or the scheduler's own process, behind one protocol and one registry."""

from mvlpt.schedule.executors import inline, local, ray, slurm  # each registers itself
from mvlpt.schedule.executors.options import NoOptions, pairs, read_options, require_at_least
from mvlpt.schedule.executors.protocol import Executor
from mvlpt.schedule.executors.registry import (
    EXECUTORS,
    ExecutorSpec,
    check_executor,
    executor_spec,
    make_executor,
    planned_slots,
    register_executor,
)

__all__ = [
    "EXECUTORS",
    "Executor",
    "ExecutorSpec",
    "NoOptions",
    "check_executor",
    "executor_spec",
    "inline",
    "local",
    "make_executor",
    "pairs",
    "planned_slots",
    "ray",
    "read_options",
    "register_executor",
    "require_at_least",
    "slurm",
]
