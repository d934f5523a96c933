"""``tools/run_experiment.py`` and ``mvlpt experiment``: the whole way from tasks to results, kept at every stage."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from mvlpt.cli.common import INTERRUPTED, command_parser, exit_status, output_width, show
from mvlpt.cli.experiment_plan import plan_of, refuse_other, show_plan, write_plan
from mvlpt.cli.schedule_run import add_run_options, read_run_options, run_plan
from mvlpt.cli.warm import run_warm
from mvlpt.engine.results import FILE as RESULTS_FILE
from mvlpt.errors import ConfigError
from mvlpt.experiment import Experiment, collect_plan, load_experiment
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.events import Event, GroupsFound, Note
from mvlpt.experiment.grouping import GROUPS_FOLDER, ensure_groups, preview_groups
from mvlpt.report.graphs import save_grouping_figures
from mvlpt.report.results.experiment_tables import experiment_tables
from mvlpt.report.results.formats import rich_tables
from mvlpt.runtime.log import setup_logging
from mvlpt.runtime.progress import counting
from mvlpt.schedule import PLAN_FILE, Plan, RunOptions, load_plan, read_records

EXAMPLES = """\
examples:
  # the demo: embeds, groups, tunes and compares; again to go on where it was stopped, or to see the tables
  mvlpt experiment --config-file configs/experiments/demo.yaml --output-dir output/demo

  # what it would do, and how long it would take
  mvlpt experiment --config-file configs/experiments/demo.yaml --output-dir output/demo --dry-run

  # only the groups; look at output/demo/graph/groups.yaml, edit it if you like, and go on without --only-groups
  mvlpt experiment --config-file configs/experiments/demo.yaml --output-dir output/demo --only-groups

  # the paper's transfer study on a SLURM cluster
  mvlpt experiment --config-file configs/experiments/coop_to_elevater.yaml --root DATA \\
      --output-dir output/transfer --executor slurm --slots 32 --executor-option partition=gpu

Watch it from another terminal: mvlpt schedule status DIR. docs/experiments.md describes the experiment file.
Exit status: 0 done, 1 some jobs failed, 2 bad input, 130 interrupted (the same command goes on).
"""


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = command_parser(
        "experiment",
        "Run an experiment: task graph and groups, plan, jobs, results. Every stage keeps what it made.",
        EXAMPLES,
    )
    add = parser.add_argument
    add("--config-file", required=True, metavar="YAML", help="the experiment (configs/experiments/)")
    add("--output-dir", required=True, metavar="DIR", help="its folder; the same one goes on where it was stopped")
    add("--root", default="", help="folder of the data sets; over the experiment's (embedded tasks need none)")
    add("--plugin", action="append", default=[], metavar="FILE.py", help="a file that registers trainers or data sets")
    add_run_options(parser)
    stages = parser.add_argument_group("stages")
    only = stages.add_mutually_exclusive_group()
    only.add_argument("--only-groups", action="store_true", help="stop once the groups are picked")
    only.add_argument("--only-report", action="store_true", help="collect the scores there are, and print the tables")
    only.add_argument("--dry-run", action="store_true", help="print the plan and how long it takes; run nothing")
    stages.add_argument("--plan-file", metavar="JSON", help="with --dry-run: write the plan there")
    stages.add_argument("--picture", metavar="PNG", help="with --dry-run: draw the plan there")
    stages.add_argument("--no-calibrate", action="store_true", help="estimate with default speeds; measure nothing")
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    return run_experiment(build_parser().parse_args(argv), _print_tables)


def run_experiment(args: argparse.Namespace, print_results: Any) -> int:
    """All stages.

    Args:
        args: of :func:`build_parser`.
        print_results: called with experiment, plan, rows and folder once there are scores.

    Returns:
        The exit status.

    Raises:
        MvlptError: something cannot be used.
    """
    setup_logging(verbose=False)
    for option, given in (("--plan-file", args.plan_file), ("--picture", args.picture)):
        if given and not args.dry_run:
            raise ConfigError(f"{option} goes with --dry-run; a run keeps plan.json and plan.png in --output-dir")
    experiment, root = _experiment(args), Path(args.output_dir)
    configurations = Configurations(experiment)
    if args.only_report:
        return _report(experiment, load_plan(root / PLAN_FILE), root, print_results)
    options = read_run_options(args, experiment.executor)
    configurations.check()
    if args.dry_run:
        groups, stand_in = preview_groups(experiment, root) if "grouped" in experiment.arms else (None, False)
        plan = plan_of(experiment, groups, args, root, options, keep=False)
        slots = options.planned_slots()
        show_plan(plan, slots, args, root, stand_in)
        return 0
    options.check(run_warm)
    refuse_other(experiment, root)
    groups = None
    if "grouped" in experiment.arms or args.only_groups:
        groups = ensure_groups(experiment, root, on_event=_handle, progress=counting)
    if args.only_groups:
        show(f"groups: {root / GROUPS_FOLDER}; edit them if you like, and go on without --only-groups")
        return 0
    plan = plan_of(experiment, groups, args, root, options, keep=True)
    write_plan(plan, root)
    status = _run(plan, root, options)
    return status if status == INTERRUPTED else max(status, _report(experiment, plan, root, print_results))


def _handle(event: Event) -> None:
    """Prints notes, and draws the groups that were found."""
    if isinstance(event, Note):
        show(event.text)
    elif isinstance(event, GroupsFound):
        save_grouping_figures(event.result, event.folder)


def _experiment(args: argparse.Namespace) -> Experiment:
    experiment = load_experiment(args.config_file)
    changes: dict[str, Any] = {"root": args.root} if args.root else {}
    if args.plugin:
        changes["plugins"] = tuple(dict.fromkeys((*experiment.plugins, *args.plugin)))
    return dataclasses.replace(experiment, **changes)


def _run(plan: Plan, root: Path, options: RunOptions) -> int:
    """Runs what has not been run; for a plan that has finished nothing is started."""
    records = read_records(root, plan)
    there = all((root / path).exists() for job in plan for path in job.outputs)
    if there and all(record.state == "finished" for record in records.values()):
        show(f"all {len(plan)} jobs have finished; nothing was run")
        return 0
    return run_plan(plan, root, options)


def _report(experiment: Experiment, plan: Plan, root: Path, print_results: Any) -> int:
    rows = collect_plan(plan, root)
    if not rows:
        show(f"no run of {root} has scores yet")
        return 0
    print_results(experiment, plan, rows, root)
    return 0


def _print_tables(experiment: Experiment, plan: Plan, rows: list[dict[str, Any]], root: Path) -> None:
    table = experiment_tables(rows, experiment.all_tasks, root)
    show(*rich_tables(table, width=output_width()))
    show(f"scores: {root / RESULTS_FILE}; tables: {root / 'results.md'}; each run: its folder below {root}")
