"""``tools/run_experiment.py`` and ``mvlpt experiment``: from tasks to results; every stage keeps what it made."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvlpt.cli.common import INTERRUPTED, command_parser, exit_status, show
from mvlpt.cli.experiment_output import ExperimentDisplay, show_preview, show_report, show_tables
from mvlpt.cli.schedule_run import SOME_FAILED, add_run_options, read_run_options
from mvlpt.cli.warm import run_warm
from mvlpt.errors import ConfigError
from mvlpt.experiment import Experiment, load_experiment
from mvlpt.runtime import counting, setup_logging

if TYPE_CHECKING:
    from mvlpt.experiment import ExperimentResult

STATUS = {"grouped": 0, "finished": 0, "incomplete": SOME_FAILED, "interrupted": INTERRUPTED}
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
An option may list values to choose from, OPTIM.LR: [0.001, 0.01]: folds of the training images decide (docs/search.md).
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
    return run(build_parser().parse_args(argv), show_tables)


def run(args: argparse.Namespace, show_scores: Callable[[ExperimentResult], None]) -> int:
    """Runs what a command line asks for.

    Args:
        args: of :func:`build_parser`.
        show_scores: prints the scores, once there are some.

    Returns:
        The exit status.

    Raises:
        MvlptError: something cannot be used.
    """
    from mvlpt.experiment import collect_experiment, preview_experiment, register, run_experiment  # load torch
    from mvlpt.experiment.grouping import GROUPS_FOLDER

    setup_logging(verbose=False)
    for option, given in (("--plan-file", args.plan_file), ("--picture", args.picture)):
        if given and not args.dry_run:
            raise ConfigError(f"{option} goes with --dry-run; a run keeps plan.json and plan.png in --output-dir")
    experiment, root = _experiment(args), Path(args.output_dir)
    if args.only_report:
        return _show_scores(collect_experiment(experiment, root), show_scores)
    register(experiment.plugins)  # which may register the executor, too
    options = read_run_options(args, experiment.executor)
    if args.dry_run:
        preview = preview_experiment(experiment, root, options=options, experiment_file=args.config_file)
        show_preview(preview, root, args.plan_file, args.picture)
        return 0
    with ExperimentDisplay(live=not options.spec.prints_here) as display:
        result = run_experiment(
            experiment,
            root,
            on_event=display,
            options=options,
            experiment_file=args.config_file,
            run_command=run_warm,
            only_groups=args.only_groups,
            measure=not args.no_calibrate,
            progress=counting,
        )
    if result.state == "grouped":
        show(f"groups: {root / GROUPS_FOLDER}; edit them if you like, and go on without --only-groups")
    elif result.state != "interrupted":
        _show_scores(result, show_scores)
    return STATUS[result.state]


def _experiment(args: argparse.Namespace) -> Experiment:
    experiment = load_experiment(args.config_file)
    changes: dict[str, Any] = {"root": args.root} if args.root else {}
    if args.plugin:
        changes["plugins"] = tuple(dict.fromkeys((*experiment.plugins, *args.plugin)))
    return dataclasses.replace(experiment, **changes)


def _show_scores(result: ExperimentResult, show_scores: Callable[[ExperimentResult], None]) -> int:
    if result.rows:
        show_scores(result)
    else:
        show(f"no run of {result.root} has scores yet")
    show_report(result.root)
    return 0
