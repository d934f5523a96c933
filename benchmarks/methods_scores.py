"""Scores of every method on embedded tasks, each task alone and in groups: the measured columns of docs/methods.md.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/methods_scores.py --work output/methods  # hours
    python benchmarks/methods_scores.py --quick                                                          # a minute
    python benchmarks/methods_scores.py --plan                                           # what is missing; runs nothing
    python benchmarks/methods_scores.py --methods TipAdapter,MaPLe --seeds 4-5           # more of some
    python benchmarks/methods_scores.py --methods R-AMT --options OPTIM.LR=0.01 --table rates.csv --work output/rates

Twelve tasks (4 subjects in 3 looks), one image a class, each method by its ``configs/trainers/NAME/embedded.yaml``
(MVLPT-UPT by ``embedded_joint.yaml``);
tested on the images of validation designers. TFUP and TPT take no labels: the first sees all training images (-1 in the
table), the other none. ``grouped`` shares what is trained within the groups that the default grouping finds from the
same images; batches then hold images of one task, as many as the task has. Rows go to
``benchmarks/results/methods.csv`` one by one: the same command goes on where the table ends. Seconds are processor
time for each task, from its files to its scores, with the model loaded before. ``benchmarks/methods_table.py`` writes
the page from the table. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import yaml

from mvlpt.io import atomic_write

PLUGIN = str(Path(__file__).with_name("validation_tasks.py"))
TABLE = Path(__file__).with_name("results") / "methods.csv"
FIELDS = ("method", "tasks", "arm", "shots", "seed", "score", "seconds")
ARMS = {"alone": "single", "grouped": "grouped"}
SUBJECTS, LOOKS = ("commerce", "medical", "tools", "weather"), ("plain", "dark", "blueprint")
SHARED = {"DATALOADER.TASK_BATCHES": "single", "DATASET.MULTITASK_LABEL_PERTASK": True}
HEADS = ("TipAdapter", "TipAdapter-F", "LP++", "CLAP", "TaskRes", "CrossModalProbe", "kNN", "LinearProbe")
COOP_LIKE = ("MVLPT-CoOp", "KgCoOp", "ProGrad", "DePT", "MVLPT-VPT")
DEEP = ("MaPLe", "IVLP", "CLIP-LoRA", "LNTuning", "2SFS", "R-AMT", "PromptSRC", "MVLPT-UPT", "CoCoOp")
WITHOUT_LABELS = ("TFUP", "TPT")
ALL_IMAGES = -1  # the number of shots of methods without labels
BOTH = ("alone", "grouped")
CONFIGS = {"MVLPT-UPT": "embedded_joint"}
ORDER = (  # what costs least comes first; heads share no weights
    (("ZeroshotCLIP", *HEADS), ("alone",)),
    (COOP_LIKE, BOTH),
    (DEEP, BOTH),
    (HEADS, ("grouped",)),
    (WITHOUT_LABELS, ("alone",)),
)
BACKBONES: dict[Any, Any] = {}  # loaded once
Unit = tuple[str, str, int]


def read_table(file: Path) -> list[dict[str, Any]]:
    """The rows of the table; none where there is no file."""
    if not file.exists():
        return []
    kinds = {"tasks": int, "shots": int, "seed": int, "score": float, "seconds": float}
    with file.open(newline="", encoding="utf-8") as handle:
        return [{key: kinds.get(key, str)(value) for key, value in row.items()} for row in csv.DictReader(handle)]


def add_row(row: dict[str, Any], file: Path) -> None:
    """Writes the table with one more row, sorted; the file appears whole."""
    rows = sorted([*read_table(file), row], key=lambda row: tuple(row[key] for key in FIELDS))
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as handle:
        writer = csv.DictWriter(handle, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def missing_units(args: argparse.Namespace, rows: Iterable[dict[str, Any]]) -> list[Unit]:
    """What the table lacks, seed after seed, so that every method gains one before any gains two; cheap ones first."""
    have = {(row["method"], row["arm"], row["seed"]) for row in rows if row["shots"] in (args.shots, ALL_IMAGES)}
    return [
        (method, arm, seed)
        for seed in args.seeds
        for methods, arms in ORDER
        for method in methods
        for arm in arms
        if (not args.methods or method in args.methods) and (method, arm, seed) not in have
    ]


def measure(args: argparse.Namespace, method: str, arm: str, seed: int) -> dict[str, Any]:
    """A row of the table: the mean score of the tasks in percent, and processor seconds a task."""
    import torch

    import mvlpt.trainers  # noqa: F401 - loaded before the clock starts
    from mvlpt.cli import main as run_mvlpt
    from mvlpt.engine import Resources, shared_resources
    from mvlpt.experiment import Experiment, run_experiment

    tasks = tuple(f"{subject}-{look}-val" for look in LOOKS for subject in args.subjects)
    shots = ALL_IMAGES if method in WITHOUT_LABELS else args.shots
    experiment = Experiment(
        tasks=tasks,
        trainers=(f"configs/trainers/{method}/{CONFIGS.get(method, 'embedded')}.yaml",),
        arms=(ARMS[arm],),
        shots=(shots,),
        seeds=(seed,),
        options={"RUN.TENSORBOARD": False, **args.options, **({"OPTIM.MAX_EPOCH": 2} if args.quick else {})},
        arm_options={"grouped": SHARED},
        executor={"name": "inline"},
        features=False,
        plugins=(PLUGIN,),
    )
    folder = Path(args.work) / method / f"{shots}shot" / f"seed{seed}" / arm
    resources = Resources(backbones=BACKBONES)
    resources.backbone("embedded", "", torch.device("cpu"), "fp32")
    started = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), shared_resources(resources):  # the tables of every run
        result = run_experiment(experiment, folder, run_command=run_mvlpt, measure=False)
    seconds = (time.process_time() - started) / len(tasks)
    if result.state != "finished":
        raise SystemExit(f"{folder}: {result.state}; run the same command again")
    scores = [row["value"] for row in result.rows if row["arm"] == ARMS[arm]]
    if len(scores) != len(tasks):
        raise SystemExit(f"{folder}: {len(scores)} scores for {len(tasks)} tasks")
    measured = {"score": round(statistics.mean(scores), 2), "seconds": round(seconds, 2)}
    return {"method": method, "tasks": len(tasks), "arm": arm, "shots": shots, "seed": seed, **measured}


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean score over seeds of each method and arm."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        found.setdefault(row["method"], {}).setdefault(row["arm"], []).append(row["score"])
    return {name: {arm: round(statistics.mean(each), 2) for arm, each in arms.items()} for name, arms in found.items()}


def _numbers(words: str) -> list[int]:
    """``1-3,8`` as [1, 2, 3, 8]."""
    ends = [part.partition("-") for part in words.split(",")]
    return [n for low, _, high in ends for n in range(int(low), int(high or low) + 1)]


def main() -> None:
    """Parses the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", default="output/methods", help="folder of the runs")
    parser.add_argument("--methods", type=lambda words: words.split(","), help="only these, such as TipAdapter,MaPLe")
    parser.add_argument("--shots", type=int, default=1)
    parser.add_argument("--seeds", type=_numbers, default=[1, 2, 3], help="such as 1-3")
    parser.add_argument("--table", type=Path, help=f"default: {TABLE.parent.name}/{TABLE.name}")
    parser.add_argument("--options", nargs="+", default=[], metavar="KEY=VALUE", help="of every run; needs --table")
    parser.add_argument("--plan", action="store_true", help="print what is missing; run nothing")
    parser.add_argument("--quick", action="store_true", help="3 tasks, 1 seed, 2 epochs, four methods: does it run?")
    args = parser.parse_args()
    if args.options and not args.table:
        parser.error("scores with other options than the files' need a --table of their own")
    args.options = {key: yaml.safe_load(value) for key, _, value in (word.partition("=") for word in args.options)}
    args.subjects = SUBJECTS
    with contextlib.ExitStack() as stack:
        if args.quick:
            args.subjects, args.seeds = SUBJECTS[:1], [1]
            args.methods = args.methods or ["TipAdapter", "TaskRes", "KgCoOp", "MaPLe"]
            args.work = stack.enter_context(tempfile.TemporaryDirectory())
            args.table = Path(args.work) / TABLE.name
        args.table = args.table or TABLE
        units = missing_units(args, read_table(args.table))
        print(f"{len(units)} of methods, arms and seeds are missing", flush=True)
        for number, (method, arm, seed) in enumerate(units, start=1):
            if args.plan:
                print(f"{method}, {arm}, seed {seed}")
                continue
            row = measure(args, method, arm, seed)
            add_row(row, args.table)
            print(f"{number}/{len(units)} {method}, {arm}, seed {seed}: {row['score']} %, {row['seconds']} s a task")
            sys.stdout.flush()
        print(json.dumps({"quick": args.quick, "scores": summary(read_table(args.table))}))


if __name__ == "__main__":
    main()
