"""The arms and the choice again, on training images that their runs did not see: five times as many to test on.

    python benchmarks/sharing_unused.py --work output/sharing     # after the parts "arms" and "chosen" of sharing.py
    python benchmarks/sharing.py --table-only --table benchmarks/results/sharing_unused.csv       # what it says
    python benchmarks/sharing_unused.py --quick                   # how many rows there are; no run

What the chooser knows was measured on validation designers, and ``benchmarks/sharing.py`` tests it on the same images.
The images of training designers that a seed's few shots leave over are others, 180 a task in place of 35. Nothing is
trained: the prompts that the folder holds score them, and those of adapted prompts that keep a share of their start.
The table has the form of ``benchmarks/results/sharing.csv``. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch

import mvlpt
from benchmarks.sharing_images import trained_images
from benchmarks.sharing_suite import KEEP, Suite
from benchmarks.sharing_table import CHOSEN, read_table, write_table
from benchmarks.start_share import accuracy, blended_scores
from benchmarks.validation_tasks import splits_of
from mvlpt.data.images import read_image
from mvlpt.engine import shared_resources
from mvlpt.inference import Classifier

TABLE = Path(__file__).with_name("results") / "sharing_unused.csv"


class UnusedImages:
    """The training images that a seed's shots leave over, prepared for the model, and their labels.

    Where prompts change the text alone, images are encoded once, and their features take their place.
    """

    prepared: ClassVar[dict[tuple[str, bool], Any]] = {}  # of all training images of a task

    def __init__(self) -> None:
        self._trained: dict[str, set[str]] = {}

    def found_in(self, run: Path, task: str) -> None:
        """Takes note of what a run of the seed trained on."""
        self._trained.setdefault(task, trained_images(run, task))

    def __call__(self, classifier: Classifier) -> tuple[list[Any] | torch.Tensor, np.ndarray]:
        """Those of the classifier's task: tensors (3, H, W) or features (N, E), and labels (N,)."""
        task, frozen = classifier.task.name, not classifier.model.trains_image
        data = splits_of(task)["train"]
        if (task, frozen) not in self.prepared:
            images = [classifier.preprocess(read_image(datum.impath)) for datum in data]
            self.prepared[task, frozen] = classifier.image_features(images) if frozen else images
        known, ends = self.prepared[task, frozen], tuple(f"/{impath}" for impath in self._trained[task])
        rest = [place for place, datum in enumerate(data) if not datum.impath.endswith(ends)]
        labels = np.array([data[place].label for place in rest])
        return (known[rest] if frozen else [known[place] for place in rest]), labels


def measure(suite: Suite) -> Iterator[dict[str, Any]]:
    """Rows of the table from the finished runs of a seed; arms that have not run are left out."""
    unused = UnusedImages()
    for part in ("arms", CHOSEN):
        for name, experiment, label in suite.experiments(part):
            folder = suite.folder / name
            for arm, task, run in finished_runs(folder):
                unused.found_in(run, task)
                classifier = mvlpt.load(run, task=task)
                value = accuracy(classifier, *unused(classifier))
                yield suite.row(arm + (f"-{label}" if label else ""), "", task, value)
            if label and folder.exists():
                for share, task, value in blended_scores(experiment, folder, images=unused):
                    yield suite.row(f"{KEEP}{100 * share:.0f}-{label}", "", task, value)


def finished_runs(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Arm, task and run folder of each score of an experiment."""
    runs = {}
    for file in sorted(folder.glob("MVLPT-*/**/results.jsonl")):
        runs.update({json.loads(line)["run"]: file.parent for line in file.read_text(encoding="utf-8").splitlines()})
    if (results := folder / "results.jsonl").exists():
        for line in results.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            yield row["arm"], row["task"], runs[row["run"]]


def main() -> None:
    """Parses the command line, measures what the table lacks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", default="output/sharing", help="folder of the runs of benchmarks/sharing.py")
    parser.add_argument("--table", default=str(TABLE), help="default: benchmarks/results/sharing_unused.csv")
    parser.add_argument("--epochs", type=int, default=30, help="of the runs")
    parser.add_argument("--quick", action="store_true", help="print how many rows the table has; run nothing")
    args = parser.parse_args()
    args.budget, table = 0.0, Path(args.table)
    have = {(row["trainer"], row["shots"], row["seed"]) for row in read_table(table)}
    folders = [] if args.quick else sorted(Path(args.work).glob("*/*shot/seed*"))
    with shared_resources():
        for folder in folders:
            trainer, shots, seed = folder.parts[-3:]
            key = trainer, int(shots.removesuffix("shot")), int(seed.removeprefix("seed"))
            if key not in have:
                found = list(measure(Suite(args, *key)))
                write_table([*read_table(table), *found], table)
                print(f"{folder}: {len(found)} rows", flush=True)
    print(json.dumps({"quick": args.quick, "rows": len(read_table(table))}))


if __name__ == "__main__":
    main()
