"""``mvlpt demo``: zero-shot, each task alone, one shared prompt, on tasks and a model that ship with the package."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from mvlpt.cli.common import exit_status, show
from mvlpt.data.datasets import DATASET_REGISTRY
from mvlpt.engine.console import stderr_console
from mvlpt.engine.log import setup_logging
from mvlpt.engine.registries import load_entry_points, load_shipped
from mvlpt.engine.results import FILE, write_results
from mvlpt.report import summarise
from mvlpt.report.summary import OVERALL
from mvlpt.schedule import Experiment, RunSpec, load_experiment, run_specs

ARM_NAMES = {"zero_shot": "zero-shot", "single": "each task alone", "all": "all tasks together"}


def build_parser() -> argparse.ArgumentParser:
    """The options of the demo."""
    parser = argparse.ArgumentParser(
        prog="mvlpt demo",
        description="Compare a frozen model without training, a prompt for each task alone, and one prompt shared by"
        " all tasks. Every image is visited equally often in every arm. Finished runs are kept: run it again to go on.",
    )
    parser.add_argument(
        "--config-file",
        default="configs/experiments/demo.yaml",
        metavar="YAML",
        help="the experiment (default: %(default)s)",
    )
    parser.add_argument(
        "--output-dir", default="output/demo", metavar="DIR", help="where runs and results go (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes; default: one per CPU core")
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the demo; returns the exit status."""
    args = build_parser().parse_args(argv)
    setup_logging(verbose=False)
    load_shipped()
    load_entry_points()
    experiment = load_experiment(args.config_file)
    looks = {task: getattr(DATASET_REGISTRY.get(task), "look", "") for task in experiment.tasks}
    root, started = Path(args.output_dir), time.monotonic()
    specs = experiment.runs()
    rows = _run(specs, root, args.workers)
    write_results(rows, root / FILE)
    show(_table(experiment, rows, looks))
    show(
        f"{len(specs)} runs, {time.monotonic() - started:.0f} s. Results: {root / FILE}; each run's configuration, log,"
        f" checkpoints and prompt.safetensors: in its folder below {root}"
    )
    return 0


def _run(specs: list[RunSpec], root: Path, workers: int) -> list[dict[str, Any]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr_console()) as bar:
        task = bar.add_task(f"{len(specs)} runs", total=sum(spec.cost for spec in specs))

        def done(spec: RunSpec, _: list[dict[str, Any]]) -> None:
            bar.update(task, advance=spec.cost, description=spec.name)

        return run_specs(specs, root, workers, done)


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
    for trainer, arm, shots in sorted(
        summary, key=lambda kind: (kind[0] != "ZeroshotCLIP", kind[0], kind[2], order[kind[1]])
    ):
        cells = summary[trainer, arm, shots]
        table.add_row(
            trainer,
            ARM_NAMES[arm],
            str(shots or ""),
            *(str(cells[group]) if group in cells else "" for group in groups),
        )
    return table
