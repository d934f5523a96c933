"""Which gains of pairs come back on other images: the ceiling of estimates that have not seen the test images.

    python benchmarks/sharing_images.py --work output/sharing    # after the part "pairs" of benchmarks/sharing.py
    python benchmarks/sharing_images.py --quick                  # what the table says; no run

The gains of a pair, averaged over many seeds, still depend on the few images that they were tested on: a prompt that
gets one more of thirty images right gains three points with every seed. An estimate that has not seen these images
cannot know that. So the runs of ``--work`` score each image of the validation designers and each training image that
they did not train on, and ``benchmarks/results/pair_images.csv`` keeps which were right: a word a class, and a digit an
image, or a dash where the seed trained on it. The variance of a target's gains that is stable over seeds *and* images
is the covariance of one half of both with the other (generalizability theory, Cronbach et al. 1972: partners crossed
with seeds and images); its share of the whole variance is the square of the ceiling. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from mvlpt.io import atomic_write

TABLE = Path(__file__).with_name("results") / "pair_images.csv"
FIELDS = ("trainer", "shots", "seed", "source", "target", "validation", "training")
COLUMNS = FIELDS[-2:]
SPLITS = 200
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Marks:
    """Which test images of a target each pair run got right.

    Attributes:
        correct: (P, S, N) for P sources, S seeds and N images, in percent: 0 or 100; NaN where the seed trained on it.
        classes: (N,) the class of each image.
    """

    correct: np.ndarray
    classes: np.ndarray

    @property
    def images(self) -> float:
        """How many images a run is tested on, in the mean over seeds."""
        return float(np.isfinite(self.correct[0]).sum(axis=1).mean())

    @cached_property
    def inside(self) -> np.ndarray:
        """(P, S, N) without what all sources of the target have in common."""
        return self.correct - self.correct.mean(axis=0)

    def gains(self, images: np.ndarray | slice = slice(None)) -> np.ndarray:
        """(P, S): the mean over some of the images."""
        return np.nanmean(self.inside[:, :, images], axis=2)

    def halves(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Two parts of the images (N,), each with half of every class; the odd image of a class falls to either."""
        first = np.zeros(len(self.classes), dtype=bool)
        for one in np.unique(self.classes):
            images = rng.permutation(np.flatnonzero(self.classes == one))
            first[images[: (len(images) + rng.integers(2)) // 2]] = True
        return first, ~first


def read_marks(file: Path, trainer: str, shots: int, columns: Sequence[str] = COLUMNS) -> dict[str, Marks]:
    """The marks of each target, over the seeds that all its pairs have; nothing where there is no file.

    Args:
        file: the table.
        trainer: its short name.
        shots: images a class.
        columns: whose images count.
    """
    if not file.exists():
        return {}
    with file.open(newline="", encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if (row["trainer"], int(row["shots"])) == (trainer, shots)]
    found: dict[str, Marks] = {}
    for target in sorted({row["target"] for row in rows}):
        given = {(row["source"], row["seed"]): row for row in rows if row["target"] == target}
        sources, seeds = (sorted({key[place] for key in given}) for place in (0, 1))
        seeds = [seed for seed in seeds if all((source, seed) in given for source in sources)]
        parts, classes = [], []
        for column in columns:
            parts.append([[_percent(given[source, seed][column]) for seed in seeds] for source in sources])
            sizes = [len(word) for word in given[sources[0], seeds[0]][column].split()]
            classes.append(np.repeat(np.arange(len(sizes)), sizes))
        found[target] = Marks(np.concatenate(parts, axis=2), np.concatenate(classes))
    return found


def _percent(words: str) -> list[float]:
    return [{"0": 0.0, "1": 100.0, "-": np.nan}[mark] for mark in words if mark != " "]


def stable_variance(marks: Sequence[Marks], splits: int = SPLITS, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """For each target, the variance of mean gains that is stable over seeds and images, and the whole variance.

    Args:
        marks: of the targets, all with the same seeds.
        splits: random halves of seeds and images; the mean over them is returned.
        seed: of the halves.
    """
    rng = np.random.default_rng(seed)
    whole = np.array([(one.gains().mean(axis=1) ** 2).mean() for one in marks])
    seeds = marks[0].correct.shape[1]
    stable = np.zeros(len(marks))
    for _ in range(splits):
        order = rng.permutation(seeds)
        first, second = order[: seeds // 2], order[seeds // 2 :]
        for place, one in enumerate(marks):
            here, there = one.halves(rng)
            product = one.gains(here)[:, first].mean(axis=1) * one.gains(there)[:, second].mean(axis=1)
            stable[place] += product.mean() / splits
    return stable, whole


def reliability(stable: np.ndarray, whole: np.ndarray, draws: int = 2000, seed: int = 0) -> tuple[float, float, float]:
    """The stable share of the variance, and its 95 % interval from a bootstrap over targets."""
    drawn = np.random.default_rng(seed).integers(0, len(whole), (draws, len(whole)))
    low, high = np.percentile(stable[drawn].sum(axis=1) / whole[drawn].sum(axis=1), [2.5, 97.5])
    return float(stable.sum() / whole.sum()), float(low), float(high)


def image_reliability(marks: Mapping[str, Marks], splits: int = SPLITS) -> tuple[float, float, float] | None:
    """The same from the marks of some targets; ``None`` where they have fewer than two seeds."""
    if not marks or min(one.correct.shape[1] for one in marks.values()) < 2:
        return None
    return reliability(*stable_variance(list(marks.values()), splits))


def measure(folder: Path, trainer: str, shots: int, seed: int) -> Iterator[Row]:
    """Rows of the pair runs of a seed: each image, scored by the prompt of the pair."""
    import mvlpt
    from benchmarks.validation_tasks import SUFFIX, splits_of
    from mvlpt.data.images import read_image

    images: dict[str, Any] = {}
    for file in sorted((folder / "pairs").glob("**/prompt.safetensors")):
        names = [task["name"] for task in _read(file.with_name("run.json"))["tasks"]]
        for target in names:
            classifier = mvlpt.load(file.parent, task=target)
            splits = splits_of(target)
            if target not in images:
                images[target] = [
                    classifier.preprocess(read_image(datum.impath)) for datum in (*splits["test"], *splits["train"])
                ]
            best = classifier.logits(images[target]).argmax(dim=1).tolist()
            tested = len(splits["test"])
            [source] = (name for name in names if name != target)
            yield {
                "trainer": trainer,
                "shots": shots,
                "seed": seed,
                "source": source.removesuffix(SUFFIX),
                "target": target.removesuffix(SUFFIX),
                "validation": _words(splits["test"], best[:tested], set()),
                "training": _words(splits["train"], best[tested:], trained_images(file.parent, target)),
            }


def trained_images(run: Path, task: str) -> set[str]:
    """The images of a task that a run trained on, from the folder of the data set."""
    [file] = run.joinpath("samples").glob(f"{task}-*.json")
    return {impath for impath, _ in _read(file)["train"]}


def _words(data: Sequence[Any], best: Sequence[int], trained: set[str]) -> str:
    """For each class a word, with a mark for each of its images."""
    marks: dict[int, str] = {}
    for datum, label in zip(data, best, strict=True):
        seen = datum.impath.endswith(tuple(f"/{impath}" for impath in trained))
        marks[datum.label] = marks.get(datum.label, "") + ("-" if seen else str(int(label == datum.label)))
    return " ".join(marks[label] for label in sorted(marks))


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def measure_all(args: argparse.Namespace, file: Path) -> None:
    """Replaces what the table says of the pair runs in the folder."""
    from mvlpt.engine import shared_resources

    found: list[Row] = []
    with shared_resources():
        for folder in sorted(Path(args.work).glob("*/*shot/seed*")):
            trainer, shots, seed = folder.parts[-3:]
            found += measure(folder, trainer, int(shots.removesuffix("shot")), int(seed.removeprefix("seed")))
            print(f"{folder}: {len(found)} rows", flush=True)
    if not found:
        sys.exit(f"{args.work} has no pair runs: run benchmarks/sharing.py --work {args.work} --parts pairs before")
    new = {(str(row["trainer"]), str(row["shots"]), str(row["seed"])) for row in found}
    if file.exists():
        with file.open(newline="", encoding="utf-8") as handle:
            found += [row for row in csv.DictReader(handle) if (row["trainer"], row["shots"], row["seed"]) not in new]
    with atomic_write(file) as handle:
        writer = csv.DictWriter(handle, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(found, key=lambda row: tuple(str(row[key]) for key in FIELDS)))


def main() -> None:
    """Parses the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", default="output/sharing", help="folder of the runs of benchmarks/sharing.py")
    parser.add_argument("--table", default=str(TABLE), help="default: benchmarks/results/pair_images.csv")
    parser.add_argument("--quick", "--table-only", action="store_true", help="print what the table says; run nothing")
    args = parser.parse_args()
    if not args.quick:
        measure_all(args, Path(args.table))
    with Path(args.table).open(newline="", encoding="utf-8") as handle:
        kinds = sorted({(row["trainer"], int(row["shots"])) for row in csv.DictReader(handle)})
    ceilings = {}
    for trainer, shots in kinds:
        for columns in (COLUMNS[:1], COLUMNS):
            marks = read_marks(Path(args.table), trainer, shots, columns)
            value, low, high = image_reliability(marks) or (np.nan,) * 3
            ceiling, *ends = (max(one, 0) ** 0.5 for one in (value, low, high))
            images = sum(one.images for one in marks.values()) / len(marks)
            print(f"{trainer}, {shots} shots, {images:.0f} images a task:", end=" ")
            print(
                f"reliability over seeds and images {value:.2f}, ceiling {ceiling:.2f} [{ends[0]:.2f}, {ends[1]:.2f}]"
            )
        ceilings[f"{trainer}-{shots}"] = round(ceiling, 3)
    print(json.dumps({"quick": args.quick, "ceilings": ceilings}))


if __name__ == "__main__":
    main()
