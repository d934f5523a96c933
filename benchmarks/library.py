"""Starting from a library of prompts against starting from scratch, on tasks that the library has never seen.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/library.py --work output/library

The library holds the prompts of four subjects in three looks, tuned with one seed; the other four subjects in the same
looks are the new tasks, with one image a class and other seeds. Tested on the images of validation designers. The
ranking of 1,000 prompts is timed, too. The same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from mvlpt.cli import main as mvlpt
from mvlpt.library import rank

PLUGIN = str(Path(__file__).with_name("validation_tasks.py"))
LOOKS = ("plain", "dark", "blueprint")
STORED, NEW = ("commerce", "files", "medical", "vehicles"), ("devices", "power", "tools", "weather")


def tuned(args: argparse.Namespace, task: str, seed: int, name: str, *words: str) -> float:
    """The score of a run, in percent."""
    folder = Path(args.work) / name / f"seed{seed}" / task
    config = f"configs/trainers/{args.trainer}/embedded.yaml"
    command = ["train", "--config-file", config, "--plugin", PLUGIN, "--dataset", task, "--shots", "1"]
    command += ["--seed", str(seed), "--output-dir", str(folder), "--quiet", *words]
    if status := mvlpt([*command, "OPTIM.MAX_EPOCH", str(args.epochs), "RUN.TENSORBOARD", "False"]):
        raise SystemExit(status)
    return json.loads((folder / "results.jsonl").read_text().splitlines()[-1])["value"]


def ranking_seconds(prompts: int = 1000, width: int = 512, repeats: int = 20) -> float:
    """The time of one ranking."""
    rng = np.random.default_rng(0)
    query, stored = rng.normal(size=width), rng.normal(size=(prompts, width))
    began = time.perf_counter()
    for _ in range(repeats):
        rank(query, stored)
    return (time.perf_counter() - began) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", default="output/library", help="folder of the runs")
    parser.add_argument("--trainer", default="MVLPT-VPT")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--mix", type=int, default=1, help="prompts to average; 1: the best")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--quick", action="store_true", help="2 stored prompts, 1 new task, 1 seed, 2 epochs")
    args = parser.parse_args()
    looks, stored, new = LOOKS, STORED, NEW
    if args.quick:
        looks, stored, new, args.seeds, args.epochs = LOOKS[1:2], STORED[:2], NEW[:1], 1, 2
    for subject in stored:
        for look in looks:
            tuned(args, f"{subject}-{look}-val", 100, "stored")
    library = str(Path(args.work) / "library")
    if status := mvlpt(["library", "add", library, str(Path(args.work) / "stored"), "--plugin", PLUGIN, "--quiet"]):
        raise SystemExit(status)
    scores = np.zeros((2, args.seeds, len(looks) * len(new)))
    for seed in range(1, args.seeds + 1):
        for number, task in enumerate(f"{subject}-{look}-val" for look in looks for subject in new):
            scores[0, seed - 1, number] = tuned(args, task, seed, "scratch")
            start = ("--init-from", library, "--init-mix", str(args.mix))
            scores[1, seed - 1, number] = tuned(args, task, seed, f"started{args.mix}", *start)
    gains = (scores[1] - scores[0]).mean(axis=1)
    scratch, started = scores.mean(axis=(1, 2))
    spread = gains.std(ddof=1) if args.seeds > 1 else float("nan")
    seconds = ranking_seconds()
    print(f"{args.trainer}, 1 shot, {scores.shape[2]} new tasks, {args.seeds} seeds, mean of {args.mix}")
    print(f"scratch {scratch:.1f}, from the library {started:.1f}, gain {gains.mean():+.1f} ± {spread:.1f}")
    print(f"ranking 1,000 prompts of width 512: {1000 * seconds:.1f} ms")
    print(json.dumps({"gain": round(gains.mean(), 2), "started/scratch": round(started / scratch, 3)}))


if __name__ == "__main__":
    main()
