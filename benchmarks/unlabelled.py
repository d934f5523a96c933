"""What do images without labels bring? Pseudo-labels, TFUP and test-time tuning beside zero-shot, task by task.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/unlabelled.py --work output/unlabelled
    python benchmarks/unlabelled.py --quick

Each method is run on each task alone, on all training images without their labels, and tested on the images of the
validation designers (``benchmarks/validation_tasks.py``). Ends with a table: the mean over tasks and seeds, the
difference to zero-shot with its standard error over tasks, and seconds a run. Results are kept in ``--work``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import validation_tasks  # noqa: F401 - registers the tasks

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.config import find_config, get_cfg_default
from mvlpt.engine import run_config, shared_resources

TASKS = (
    "tools-plain", "weather-plain", "medical-plain", "tools-dark", "weather-dark", "vehicles-dark",
    "devices-blueprint", "medical-blueprint",
)  # fmt: skip


def rounds(method: str, **options: Any) -> dict[str, Any]:
    """Options of pseudo-labels."""
    return {"DATASET.PSEUDO_LABELS.METHOD": method, "DATASET.PSEUDO_LABELS.ROUNDS": 5, **options}


METHODS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "zero-shot": ("ZeroshotCLIP/embedded", {}),
    "TFUP": ("TFUP/embedded", {}),
    "TPT": ("TPT/embedded", {}),
    "FPL, text": ("MVLPT-CoOp/embedded", rounds("fpl", **{"DATASET.PSEUDO_LABELS.PER_CLASS": 4})),
    "IFPL, text": ("MVLPT-CoOp/embedded", rounds("ifpl", **{"DATASET.PSEUDO_LABELS.PER_CLASS": 4})),
    "GRIP, text": ("MVLPT-CoOp/embedded", rounds("grip")),
    "FPL, visual": ("MVLPT-VPT/embedded", rounds("fpl", **{"DATASET.PSEUDO_LABELS.PER_CLASS": 4})),
    "IFPL, visual": ("MVLPT-VPT/embedded", rounds("ifpl", **{"DATASET.PSEUDO_LABELS.PER_CLASS": 4})),
    "GRIP, visual": ("MVLPT-VPT/embedded", rounds("grip")),
    "1 shot, text": ("MVLPT-CoOp/embedded", {"DATASET.NUM_SHOTS": 1}),
    "1 shot, visual": ("MVLPT-VPT/embedded", {"DATASET.NUM_SHOTS": 1}),
    "1 shot + GRIP, visual": ("MVLPT-VPT/embedded", rounds("grip", **{"DATASET.NUM_SHOTS": 1})),
}


def score(method: str, task: str, seed: int, work: Path, **common: Any) -> dict[str, float]:
    """Accuracy and seconds of a run, from the file that an earlier call left, or by running it."""
    kept = work / f"{method}-{task}-{seed}.json".replace(" ", "_").replace(",", "")
    if not kept.exists():
        file, options = METHODS[method]
        cfg = get_cfg_default()
        cfg.merge_from_file(find_config(file))
        fixed = {"DATASET.DATASET": f"{task}-val", "SEED": seed, "VERBOSE": False, "RUN.TENSORBOARD": False}
        with tempfile.TemporaryDirectory() as folder:
            chosen = {"DATASET.NUM_SHOTS": -1, **fixed, **options, **common, "OUTPUT_DIR": folder}
            cfg.merge_from_list([word for pair in chosen.items() for word in pair])
            cfg.freeze()
            began = time.perf_counter()
            [row] = run_config(cfg).rows
            kept.write_text(json.dumps({"value": row["value"], "seconds": time.perf_counter() - began}))
    return json.loads(kept.read_text())


def main() -> None:
    """Runs what is not kept yet and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", help="folder of results (default: a temporary one)")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", default=";".join(METHODS), help="separated by ;")
    parser.add_argument("--quick", action="store_true", help="2 tasks, 1 seed, 2 epochs, 2 rounds: does it run?")
    args = parser.parse_args()
    tasks, seeds = args.tasks.split(","), range(1, args.seeds + 1)
    common: dict[str, Any] = {}
    if args.quick:
        tasks, seeds = tasks[:2], range(1, 2)
        common = {"OPTIM.MAX_EPOCH": 2, "DATASET.PSEUDO_LABELS.ROUNDS": 2}
    with tempfile.TemporaryDirectory() as temporary, shared_resources():
        work = Path(args.work or temporary)
        work.mkdir(parents=True, exist_ok=True)
        found: dict[str, list[float]] = {}
        print(f"{'method':<24}{'mean':>8}{'gain':>8}{'s.e.':>8}{'better on':>12}{'seconds':>10}")
        for method in args.methods.split(";"):
            runs = [[score(method, task, seed, work, **common) for seed in seeds] for task in tasks]
            means = found[method] = [statistics.mean(run["value"] for run in row) for row in runs]
            seconds = statistics.median(run["seconds"] for row in runs for run in row)
            gains = [own - base for own, base in zip(means, next(iter(found.values())), strict=True)]
            error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
            better = f"{sum(gain > 0 for gain in gains)} of {len(gains)}"
            print(f"{method:<24}{statistics.mean(means):>8.1f}{statistics.mean(gains):>+8.1f}{error:>8.1f}", end="")
            print(f"{better:>12}{seconds:>10.1f}", flush=True)
    print(json.dumps({"quick": args.quick, "means": {name: statistics.mean(means) for name, means in found.items()}}))


if __name__ == "__main__":
    main()
