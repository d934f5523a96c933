"""``mvlpt demo``: zero-shot, each task alone, all together, each group together, on what ships with the package.

It is ``mvlpt experiment`` with ``configs/experiments/demo.yaml``, and a table by look in the place of the usual ones.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from rich.table import Table

from mvlpt.cli import experiment as whole_way
from mvlpt.cli.common import exit_status, show
from mvlpt.cli.experiment_results import MARKDOWN, looks_of, tables
from mvlpt.engine.results import FILE
from mvlpt.report import summarise
from mvlpt.report.summary import OVERALL
from mvlpt.schedule import Experiment, Plan

ARM_NAMES = {
    "zero_shot": "zero-shot",
    "single": "each task alone",
    "all": "all tasks together",
    "grouped": "each group together",
    "pair": "each pair together",
}


def build_parser() -> argparse.ArgumentParser:
    """The options of the demo."""
    parser = argparse.ArgumentParser(
        prog="mvlpt demo",
        description="Compare a frozen model without training, a prompt for each task alone, one prompt shared by all"
        " tasks, and one for each group of tasks that the task graph suggests. Every image is visited equally often in"
        " every arm. Whatever has finished is kept: run it again to go on.",
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
    words = ["--config-file", args.config_file, "--output-dir", args.output_dir]
    words += ["--slots", str(args.workers)] if args.workers else []
    words += ["--dry-run"] if args.dry_run else []
    status = whole_way.run_experiment(whole_way.build_parser().parse_args(words), _print_by_look)
    if not args.dry_run:
        show(f"{time.monotonic() - started:.0f} s")
    return status


def _print_by_look(experiment: Experiment, plan: Plan, rows: list[dict[str, Any]], root: Path) -> None:
    looks = looks_of(experiment.all_tasks)
    tables(rows, experiment.all_tasks, root)
    groups = {job.facts["group"]: job.facts["tasks"] for job in plan if job.facts.get("arm") == "grouped"}
    for name, tasks in groups.items():
        show(f"{name}: {', '.join(tasks)}")
    show(_table(experiment, _complete(rows), looks))
    show(f"scores: {root / FILE}; gains, ranks and tests: {root / MARKDOWN}; task graph and groups: {root / 'graph'}")
    show(f"each run's configuration, log, checkpoints and prompt.safetensors: in its folder below {root}")


def _complete(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of seeds that cover as many tasks as the best of their kind; a run that failed leaves its seed out."""
    covered: dict[tuple[Any, ...], set[str]] = {}
    for row in rows:
        covered.setdefault((row["trainer"], row["arm"], row["shots"], row["seed"]), set()).add(row["task"])
    most: dict[tuple[Any, ...], int] = {}
    for key, tasks in covered.items():
        most[key[:3]] = max(most.get(key[:3], 0), len(tasks))
    kinds = {key for key, tasks in covered.items() if len(tasks) == most[key[:3]]}
    return [row for row in rows if (row["trainer"], row["arm"], row["shots"], row["seed"]) in kinds]


def _table(experiment: Experiment, rows: list[dict[str, Any]], looks: dict[str, str]) -> Table:
    summary = summarise(rows, looks)
    groups = [*dict.fromkeys(looks.values()), OVERALL]
    seeds = ", ".join(map(str, experiment.seeds))
    table = Table(
        title=f"Test score %, {len(experiment.tasks)} tasks, seeds {seeds}: mean over tasks, ± sd over seeds",
        title_justify="left",
    )
    for column in ("trainer", "arm", "shots"):
        table.add_column(column)
    for group in groups:
        table.add_column(group, justify="right")
    order = {arm: place for place, arm in enumerate(ARM_NAMES)}
    known = sorted(summary, key=lambda kind: (kind[0] != "ZeroshotCLIP", kind[0], kind[2], order.get(kind[1], 99)))
    for trainer, arm, shots in known:
        cells = summary[trainer, arm, shots]
        table.add_row(
            trainer,
            ARM_NAMES.get(arm, arm),
            str(shots or ""),
            *(str(cells[group]) if group in cells else "" for group in groups),
        )
    return table
