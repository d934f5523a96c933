"""Running a plan: where its jobs run and what happens when they fail, in one value, and one call."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mvlpt.schedule.attempts import RunCommand
from mvlpt.schedule.executors.registry import (
    ExecutorSpec,
    check_executor,
    executor_spec,
    make_executor,
    planned_slots,
)
from mvlpt.schedule.jobs import Plan
from mvlpt.schedule.records import Outcome, Snapshot
from mvlpt.schedule.retry import SchedulerOptions
from mvlpt.schedule.scheduler import Scheduler
from mvlpt.schedule.slots import Slot

SETTINGS = ("name", "slots", "retries", "time_limit")  # of any executor; further ones are its own options


@dataclass(frozen=True)
class RunOptions:
    """How to run a plan.

    Attributes:
        executor: its name, one of :data:`mvlpt.schedule.EXECUTORS`.
        executor_options: the executor's own; strings are read as the option's type.
        scheduler: retries and limits.
    """

    executor: str = "local"
    executor_options: Mapping[str, Any] = field(default_factory=dict)
    scheduler: SchedulerOptions = field(default_factory=SchedulerOptions)

    @classmethod
    def from_settings(
        cls,
        settings: Mapping[str, Any],
        executor_options: Mapping[str, Any] | None = None,
        *,
        retry_failed: bool = False,
    ) -> RunOptions:
        """Options from the ``executor`` section of an experiment file.

        Args:
            settings: ``name``, ``slots``, ``retries``, ``time_limit`` and options of the executor; all may be left out.
            executor_options: options of the executor that override those of ``settings``.
            retry_failed: start jobs again that failed in an earlier run.

        Raises:
            ScheduleError: an unknown executor, or a number out of bounds.
        """
        name = settings.get("name") or "local"
        options = {key: value for key, value in settings.items() if key not in SETTINGS} | dict(executor_options or {})
        option = executor_spec(name).jobs_option
        if settings.get("slots") is not None and option:
            options.setdefault(option, settings["slots"])
        retries, limit = settings.get("retries"), settings.get("time_limit")
        scheduler = SchedulerOptions(
            retries=SchedulerOptions.retries if retries is None else int(retries),
            time_limit=limit,
            retry_failed=retry_failed,
        )
        return cls(name, options, scheduler)

    @property
    def spec(self) -> ExecutorSpec:
        """What is known of the executor without opening it.

        Raises:
            ScheduleError: an unknown name.
        """
        return executor_spec(self.executor)

    def planned_slots(self) -> list[Slot]:
        """The slots of a dry run; see :func:`mvlpt.schedule.planned_slots`."""
        return planned_slots(self.executor, **self.executor_options)

    def uses_gpus(self) -> bool:
        """Whether jobs run on GPUs, for executors that run them elsewhere than on this machine.

        Raises:
            ScheduleError: an unknown name or option.
        """
        return self.spec.uses_gpus(self.spec.read(self.executor_options))

    def check(self, run_command: RunCommand | None = None) -> None:
        """Finds out what is wrong with the executor; see :func:`mvlpt.schedule.check_executor`."""
        check_executor(self.executor, run_command=run_command, **self.executor_options)


def run_plan(
    plan: Plan,
    root: str | os.PathLike[str],
    options: RunOptions | None = None,
    *,
    run_command: RunCommand | None = None,
    listener: Callable[[Snapshot], None] | None = None,
) -> Outcome:
    """Runs a plan to its end; jobs that have finished in an earlier run are kept.

    Args:
        plan: the jobs.
        root: the plan's folder.
        options: where the jobs run, and retries.
        run_command: see :func:`mvlpt.schedule.make_executor`.
        listener: see :class:`mvlpt.schedule.Scheduler`.

    Raises:
        ScheduleError: the folder, its journal or the executor cannot be used.
    """
    chosen = options or RunOptions()
    executor = make_executor(chosen.executor, run_command=run_command, **chosen.executor_options)
    return Scheduler(plan, root, executor, chosen.scheduler, listener).run()
