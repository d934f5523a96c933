"""Alone, shared, adapted, and shared with private parts: accuracy on validation designers at one budget of epochs.

    OMP_NUM_THREADS=1 python benchmarks/adaptation.py --trainer MVLPT-VPT --shots 1 --output-dir output/adaptation

Twelve of the embedded tasks, four subjects in three looks; groups are the looks. Every task is visited equally often in
every arm, and an adaptation takes as many epochs again and keeps nothing of its start. Prints the mean over tasks, with
the deviation over seeds. What has finished is kept in the folder: the same command goes on. ``--quick``: two epochs of
one seed. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mvlpt.cli import main as run_mvlpt
from mvlpt.experiment import Experiment, run_experiment
from mvlpt.graph import Grouping, write_groups
from mvlpt.report.results import results_table

SUBJECTS, LOOKS = ("devices", "power", "tools", "weather"), ("plain", "dark", "blueprint")
TASKS = tuple(f"{subject}-{look}-val" for look in LOOKS for subject in SUBJECTS)
EQUAL_VISITS = {"DATALOADER.TASK_BATCHES": "single", "DATASET.MULTITASK_LABEL_PERTASK": True}
ARMS = ("single", "all", "grouped", "adapted")
PLUGIN = Path(__file__).with_name("validation_tasks.py")


def measure(
    trainer: str, shots: int, seeds: Sequence[int], rank: int, lr_mult: float, output: Path, **options: Any
) -> dict[str, str]:
    """Method to accuracy as text, for prompts of one rank.

    Args:
        trainer: its name.
        shots: images per class.
        seeds: of sampling, prompt and order.
        rank: of the private parts.
        lr_mult: their learning rate over the shared prompt's.
        output: the experiment's folder.
        **options: of every run.
    """
    groups = output.with_name(f"{output.name}-looks.yaml")
    groups.parent.mkdir(parents=True, exist_ok=True)
    write_groups(Grouping(tuple(tuple(task for task in TASKS if f"-{look}-" in task) for look in LOOKS)), groups)
    private = {"TRAINER.MVLPT.PRIVATE.RANK": rank, "TRAINER.MVLPT.PRIVATE.LR_MULT": lr_mult} if rank else {}
    experiment = Experiment(
        tasks=TASKS,
        trainers=(f"configs/trainers/{trainer}/embedded.yaml",),
        arms=("all", "grouped") if rank else ARMS,
        shots=(shots,),
        seeds=tuple(seeds),
        options={**options, **private},
        arm_options={"all": EQUAL_VISITS, "grouped": EQUAL_VISITS, "adapted": {"RUN.START_SHARE": 0.0}},
        grouping={"file": str(groups)},
        executor={"name": "inline"},
        plugins=(str(PLUGIN),),
    )
    result = run_experiment(experiment, output, run_command=run_mvlpt, measure=False)
    table = results_table(result.rows)
    return {" ".join(row.method.words[1:]): _text(row.overall) for row in table.summaries}


def _text(cell: object) -> str:
    return "-" if cell is None else cell.text(1)


def main() -> None:
    """Prints a line for each method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trainer", default="MVLPT-VPT")
    parser.add_argument("--shots", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs="+", default=(1, 2, 3))
    parser.add_argument("--ranks", type=int, nargs="+", default=(0, 1, 2, 4), help="0: without private parts")
    parser.add_argument("--lr-mult", type=float, default=1.0, help="TRAINER.MVLPT.PRIVATE.LR_MULT")
    parser.add_argument("--output-dir", type=Path, default=Path("output/adaptation"))
    parser.add_argument("--quick", action="store_true", help="two epochs of one seed, ranks 0 and 1: does it run?")
    args = parser.parse_args()
    options: dict[str, Any] = {}
    if args.quick:
        args.seeds, args.ranks, options = (1,), (0, 1), {"OPTIM.MAX_EPOCH": 2}
        args.output_dir = Path(tempfile.mkdtemp(prefix="adaptation-"))
    found: dict[str, dict[str, str]] = {}
    for rank in args.ranks:
        name = f"{args.trainer}-{args.shots}shot-rank{rank}" + (f"-lr{args.lr_mult:g}" if rank else "")
        scores = measure(args.trainer, args.shots, args.seeds, rank, args.lr_mult, args.output_dir / name, **options)
        found[f"rank {rank}"] = scores
        for method, score in scores.items():
            print(f"{args.trainer} {args.shots}-shot rank {rank} x{args.lr_mult:g}  {method}: {score}", flush=True)
    print(json.dumps({"quick": args.quick, "trainer": args.trainer, "scores": found}))


if __name__ == "__main__":
    main()
