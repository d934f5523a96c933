"""A shared prompt adapted to its tasks, with and without distillation from it, and meta-learned or not.

    OMP_NUM_THREADS=1 python benchmarks/transfer_methods.py --trainers MVLPT-VPT MVLPT-CoOp --output-dir output/transfer

The tasks of ``adaptation.py``, one image a class, accuracy on all images of their validation designers: of the shared
prompt itself (``all``), of its adaptations (``adapted``), and once of each task alone (``single``). Prints means over
tasks with the deviation over seeds, and the mean difference of adaptations from those of the first variant, with its
standard error over tasks. What has finished is kept in the folder: the same command goes on. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.adaptation import EQUAL_VISITS, PLUGIN, TASKS
from mvlpt.cli import main as run_mvlpt
from mvlpt.experiment import Experiment, run_experiment

DISTILL, META = "TRAINER.MVLPT.DISTILL", "TRAINER.MVLPT.META"
DEFAULTS = {"all": EQUAL_VISITS, "adapted": {"RUN.START_SHARE": 0.0}}  # no mean with the shared prompt afterwards


def distilled(weight: float, **options: Any) -> dict[str, Mapping[str, Any]]:
    """Options of a variant that distils while it adapts."""
    return {"adapted": {f"{DISTILL}.WEIGHT": weight, **{f"{DISTILL}.{key}": value for key, value in options.items()}}}


def meta(steps: int, rate: float = 1.0, batch: int = 0, **options: Any) -> dict[str, Mapping[str, Any]]:
    """Options of a variant whose shared prompt is meta-learned."""
    return {"all": {f"{META}.INNER_STEPS": steps, f"{META}.RATE": rate, f"{META}.BATCH": batch, **options}}


VARIANTS: dict[str, dict[str, Mapping[str, Any]]] = {
    "plain": {},
    "kl-0.5": distilled(0.5),
    "kl-1": distilled(1.0),
    "kl-2": distilled(2.0),
    "kl-1-T2": distilled(1.0, TEMPERATURE=2.0),
    "mse-0.1": distilled(0.1, LOSS="mse"),
    "mse-0.1-fresh": distilled(0.1, LOSS="mse", FRESH=True),
    "kl-1-fresh": distilled(1.0, FRESH=True),
    "reptile-3": meta(3),
    "reptile-3-parts": meta(3, batch=4),
    "reptile-3-half": meta(3, rate=0.5),
    "plain-90": {"all": {"OPTIM.MAX_EPOCH": 90}},
}


def scores(
    trainer: str, variant: str, seeds: Sequence[int], output: Path, **common: Any
) -> dict[str, dict[tuple[str, int], float]]:
    """Arm to (task, seed) to accuracy."""
    options = VARIANTS[variant]
    experiment = Experiment(
        tasks=TASKS,
        trainers=(f"configs/trainers/{trainer}/embedded.yaml",),
        arms=("all", "adapted") if options else ("single", "all", "adapted"),
        shots=(1,),
        seeds=tuple(seeds),
        arm_options={arm: {**DEFAULTS[arm], **options.get(arm, {})} for arm in DEFAULTS},
        options=common,
        executor={"name": "inline"},
        plugins=(str(PLUGIN),),
    )
    result = run_experiment(experiment, output / f"{trainer}-{variant}", run_command=run_mvlpt, measure=False)
    if result.state != "finished":
        raise SystemExit(f"{trainer} {variant} is {result.state}; the same command goes on")
    found: dict[str, dict[tuple[str, int], float]] = {}
    for row in result.rows:
        found.setdefault(row["arm"], {})[row["task"], row["seed"]] = row["value"]
    return found


def overall(values: Mapping[tuple[str, int], float], seeds: Sequence[int]) -> str:
    """The mean over tasks of each seed: mean and deviation over seeds."""
    means = [statistics.mean(value for (_, own), value in values.items() if own == seed) for seed in seeds]
    spread = statistics.stdev(means) if len(means) > 1 else 0.0
    return f"{statistics.mean(means):.1f} ± {spread:.1f}"


def difference(values: Mapping[tuple[str, int], float], base: Mapping[tuple[str, int], float]) -> str:
    """The mean difference over tasks, each averaged over seeds, and its standard error over tasks."""
    gains = [
        statistics.mean(value - base[key] for key, value in values.items() if key[0] == task)
        for task in {task for task, _ in values}
    ]
    return f"{statistics.mean(gains):+.1f} ± {statistics.stdev(gains) / len(gains) ** 0.5:.1f}"


def main() -> None:
    """Prints a line for each trainer and variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trainers", nargs="+", default=("MVLPT-VPT", "MVLPT-CoOp"))
    parser.add_argument("--variants", nargs="+", default=tuple(VARIANTS), choices=VARIANTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=(1, 2, 3))
    parser.add_argument("--output-dir", type=Path, default=Path("output/transfer"))
    parser.add_argument("--quick", action="store_true", help="two epochs of one seed, two variants: does it run?")
    args = parser.parse_args()
    common: dict[str, Any] = {}
    if args.quick:
        args.trainers, args.variants, args.seeds = ("MVLPT-CoOp",), tuple(VARIANTS)[:2], (1,)
        args.output_dir, common = Path(tempfile.mkdtemp(prefix="transfer-")), {"OPTIM.MAX_EPOCH": 2}
    gains: dict[str, str] = {}
    for trainer in args.trainers:
        base = None
        for variant in args.variants:
            found = scores(trainer, variant, args.seeds, args.output_dir, **common)
            base = base or found["adapted"]
            arms = ", ".join(f"{arm} {overall(values, args.seeds)}" for arm, values in sorted(found.items()))
            gains[f"{trainer} {variant}"] = difference(found["adapted"], base)
            print(f"{trainer} {variant}: {arms}, over the first {gains[f'{trainer} {variant}']}", flush=True)
    print(json.dumps({"quick": args.quick, "over the first": gains}))


if __name__ == "__main__":
    main()
