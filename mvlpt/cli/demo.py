"""``mvlpt demo``: zero-shot, each task alone, all together, in groups, adapted, on what ships with the package.

It is ``mvlpt experiment`` with ``configs/experiments/demo.yaml``, one table instead of all, and a picture.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from mvlpt.cli import experiment
from mvlpt.cli.common import exit_status, output_width, program_name, show
from mvlpt.cli.parser import CommandParser
from mvlpt.engine import RESULTS_FILE
from mvlpt.errors import ConfigError
from mvlpt.report.results import MARKDOWN, experiment_tables, rich_tables, save_arms_figure

if TYPE_CHECKING:
    from mvlpt.experiment import ExperimentResult

PICTURE = "arms.png"


def build_parser() -> argparse.ArgumentParser:
    """The options of the demo."""
    parser = CommandParser(
        prog=program_name("demo"),
        description="Compare a frozen model without training, a prompt for each task alone, one prompt shared by all"
        " tasks, one for each group of tasks that the task graph suggests, and the prompt of a task's group adapted to"
        " it. Whatever has finished is kept: run it again to go on.",
    )
    parser.add_argument(
        "--config-file",
        default="configs/experiments/demo.yaml",
        metavar="YAML",
        help="the experiment (default: %(default)s)",
    )
    parser.add_argument(
        "--output-dir", default="output/demo", metavar="DIR", help="where everything goes (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="jobs at once; default: one per CPU core")
    parser.add_argument("--dry-run", action="store_true", help="print what would be run and how long it would take")
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the demo; returns the exit status."""
    args, started = build_parser().parse_args(argv), time.monotonic()
    if args.workers < 0:
        raise ConfigError(f"--workers is {args.workers}; give 1 or more, or leave it out")
    words = ["--config-file", args.config_file, "--output-dir", args.output_dir]
    words += ["--slots", str(args.workers)] if args.workers else []
    words += ["--dry-run"] if args.dry_run else []
    status = experiment.run(experiment.build_parser().parse_args(words), _show_by_look)
    if not args.dry_run:
        show(f"{time.monotonic() - started:.0f} s")
    return status


def _show_by_look(result: ExperimentResult) -> None:
    root = result.root
    tables = experiment_tables(result.rows, result.experiment.all_tasks, root)
    labels = [job.labels for job in result.plan if job.labels.get("arm") == "grouped"]
    for name, tasks in {label["group"]: label["tasks"] for label in labels}.items():
        show(f"{name}: {', '.join(tasks)}")
    show(*rich_tables(tables, ("summary",), width=output_width()))
    show(f"the arms by look: {save_arms_figure(tables, root / PICTURE)}")
    show(f"scores: {root / RESULTS_FILE}; all tables: {root / MARKDOWN}; task graph and groups: {root / 'graph'}")
    show(f"each run's configuration, log, checkpoints and prompt.safetensors: in its folder below {root}")
