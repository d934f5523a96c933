"""Running a plan from the command line: the options, the display, the last words, the exit status."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mvlpt.cli import main
from mvlpt.cli.common import INTERRUPTED, show
from mvlpt.errors import ScheduleError
from mvlpt.report.jobs.changes import counts_text
from mvlpt.report.jobs.status import failure_lines, status_sheet
from mvlpt.report.jobs.watch import Watch
from mvlpt.runtime.console import stderr_console
from mvlpt.runtime.log import setup_logging
from mvlpt.schedule.executors.protocol import EXECUTORS, make_executor
from mvlpt.schedule.jobs import Plan
from mvlpt.schedule.journal import read_records
from mvlpt.schedule.scheduler import Scheduler, SchedulerOptions

SOME_FAILED = 1


@dataclass(frozen=True)
class RunOptions:
    """How to run a plan.

    Attributes:
        executor: one of :data:`EXECUTORS`.
        executor_options: the executor's own, as text.
        retries: how often a failed job is tried again.
        time_limit: seconds for each attempt of a job; ``None`` for no limit.
        retry_failed: start jobs again that failed in an earlier run.
    """

    executor: str = "local"
    executor_options: Mapping[str, Any] = field(default_factory=dict)
    retries: int = 2
    time_limit: float | None = None
    retry_failed: bool = False


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Adds ``--executor`` and what goes with it."""
    group = parser.add_argument_group("where and how jobs run")
    group.add_argument("--executor", choices=EXECUTORS, help="default: the experiment's, or local")
    group.add_argument("--slots", type=int, metavar="N", help="jobs at once; default: one per GPU, or per CPU core")
    group.add_argument("--retries", type=int, metavar="N", help="tries after the first failure of a job (default: 2)")
    group.add_argument("--time-limit", type=float, metavar="SECONDS", help="for each try of a job (default: none)")
    group.add_argument("--retry-failed", action="store_true", help="also jobs that failed in an earlier run")
    group.add_argument(
        "--executor-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="the executor's own, such as gpu_share=4, partition=gpu or address=auto; may be given again",
    )


def read_run_options(args: argparse.Namespace, defaults: Mapping[str, Any] | None = None) -> RunOptions:
    """The options of a command line, over those of an experiment file.

    Args:
        args: of a parser with :func:`add_run_options`.
        defaults: ``executor`` of the experiment: ``name``, ``slots``, ``retries``, ``time_limit`` and own options.

    Raises:
        ScheduleError: something is out of its bounds or not of the form KEY=VALUE.
    """
    own = dict(defaults or {})
    name = args.executor or own.get("name") or "local"
    known = ("name", "slots", "retries", "time_limit")
    # Another executor than the experiment's does not understand the options that the experiment gives to its own.
    options = {k: v for k, v in own.items() if k not in known} if name == own.get("name", "local") else {}
    for text in args.executor_option:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise ScheduleError(f"--executor-option '{text}' is not of the form KEY=VALUE")
        options[key.strip()] = value
    slots = args.slots if args.slots is not None else own.get("slots")
    if slots is not None and name != "inline":
        if slots < 1:
            raise ScheduleError(f"--slots is {slots}; give 1 or more")
        options.setdefault("slots" if name == "local" else "jobs", slots)
    retries = args.retries if args.retries is not None else int(own.get("retries", 2))
    limit = args.time_limit if args.time_limit is not None else own.get("time_limit")
    if retries < 0:
        raise ScheduleError(f"--retries is {retries}; give 0 or more")
    if limit is not None and not limit > 0:
        raise ScheduleError(f"--time-limit is {limit:g}; give seconds, more than 0, or leave it out for no limit")
    return RunOptions(name, options, retries, limit, args.retry_failed)


def run_plan(plan: Plan, root: Path, options: RunOptions) -> int:
    """Runs a plan to its end while showing it; finished jobs are kept from an earlier run.

    Returns:
        0 if every job finished, 1 if some failed, were cancelled or blocked, 130 if the user stopped it.

    Raises:
        ScheduleError: the folder, its journal or the executor cannot be used.
    """
    executor = make_executor(options.executor, run_command=main, **options.executor_options)
    settings = SchedulerOptions(
        retries=options.retries, time_limit=options.time_limit, retry_failed=options.retry_failed
    )
    setup_logging(verbose=False)
    # Jobs of the inline executor print to this very terminal, through which a live table must not be drawn.
    with Watch(stderr_console(), live=options.executor != "inline") as watch:
        outcome = Scheduler(plan, root, executor, settings, watch).run()
    records = read_records(root, plan)
    done = outcome.finished == len(plan)
    if not done:
        show(status_sheet(plan, records), *failure_lines(plan, records, root))
    if outcome.interrupted:
        show(f"stopped: {counts_text(plan, records)}; run the same command again to go on")
        return INTERRUPTED
    if not done:
        show(f"{counts_text(plan, records)}; `mvlpt schedule retry {root}` gives failed jobs another chance")
    return 0 if done else SOME_FAILED
