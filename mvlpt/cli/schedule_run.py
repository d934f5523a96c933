"""Running a plan from the command line: the options, the display, the summary at the end, the exit status."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvlpt.cli.common import INTERRUPTED, show
from mvlpt.cli.warm import run_warm
from mvlpt.errors import ScheduleError
from mvlpt.report.jobs import Watch, counts_text, failure_lines, status_sheet
from mvlpt.runtime import setup_logging, stderr_console
from mvlpt.schedule import EXECUTORS, MOST_SLOTS, Outcome, Plan, RunOptions, read_records
from mvlpt.schedule import run_plan as run_scheduler

SOME_FAILED = 1


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Adds ``--executor`` and what goes with it."""
    group = parser.add_argument_group("where and how jobs run")
    names = ", ".join(EXECUTORS)
    group.add_argument("--executor", metavar="NAME", help=f"{names}; default: the experiment's, or local")
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


def check_slots(slots: int | None) -> None:
    """Checks what was given after ``--slots``.

    Raises:
        ScheduleError: it is out of bounds.
    """
    if slots is not None and not 1 <= slots <= MOST_SLOTS:
        raise ScheduleError(f"--slots is {slots}; give 1 to {MOST_SLOTS:,}")


def read_run_options(args: argparse.Namespace, defaults: Mapping[str, Any] | None = None) -> RunOptions:
    """The options of a command line, over those of an experiment file.

    Args:
        args: of a parser with :func:`add_run_options`.
        defaults: ``executor`` of the experiment: ``name``, ``slots``, ``retries``, ``time_limit`` and own options.

    Raises:
        ScheduleError: an unknown executor, or something is out of its bounds or not of the form KEY=VALUE.
    """
    settings = dict(defaults or {})
    name = args.executor or settings.get("name") or "local"
    if name != settings.get("name", "local"):
        # Another executor than the experiment's does not understand the options that the experiment gives to its own.
        settings = {key: settings[key] for key in ("slots", "retries", "time_limit") if key in settings}
    settings["name"] = name
    options = {}
    for text in args.executor_option:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise ScheduleError(f"--executor-option '{text}' is not of the form KEY=VALUE")
        options[key.strip()] = value
    check_slots(args.slots)
    if args.retries is not None and args.retries < 0:
        raise ScheduleError(f"--retries is {args.retries}; give 0 or more")
    if args.time_limit is not None and not 0 < args.time_limit < math.inf:
        raise ScheduleError(
            f"--time-limit is {args.time_limit:g}; give seconds, more than 0, or leave it out for no limit"
        )
    given = {"slots": args.slots, "retries": args.retries, "time_limit": args.time_limit}
    settings.update({key: value for key, value in given.items() if value is not None})
    return RunOptions.from_settings(settings, options, retry_failed=args.retry_failed)


def run_plan(plan: Plan, root: Path, options: RunOptions) -> int:
    """Runs a plan to its end while showing it; finished jobs are kept from an earlier run.

    Returns:
        0 if every job finished, 1 if some failed, were cancelled or blocked, 130 if the user stopped it.

    Raises:
        ScheduleError: the folder, its journal or the executor cannot be used.
    """
    setup_logging(verbose=False)
    with Watch(stderr_console(), live=not options.spec.prints_here) as watch:
        outcome = run_scheduler(plan, root, options, run_command=run_warm, listener=watch)
    return show_outcome(plan, root, outcome)


def show_outcome(plan: Plan, root: Path, outcome: Outcome) -> int:
    """Prints what is left to do once the scheduler has stopped; nothing where every job finished.

    Returns:
        As :func:`run_plan`.
    """
    records = read_records(root, plan)
    done = outcome.finished == len(plan)
    if not done:
        show(status_sheet(plan, records), *failure_lines(plan, records, root))
    if outcome.interrupted:
        show(f"stopped: {counts_text(plan, records)}; run the same command again to go on")
        return INTERRUPTED
    if not done:
        show(f"{counts_text(plan, records)}; `mvlpt schedule retry {root}` runs failed jobs again")
    return 0 if done else SOME_FAILED
