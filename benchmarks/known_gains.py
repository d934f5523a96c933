"""What the chooser knows before it measures anything, from the table of ``benchmarks/sharing.py``.

    python benchmarks/known_gains.py                       # the table of docs/choosing.md
    python benchmarks/known_gains.py --table FILE.csv      # of another table

Gains over each task alone, means over tasks and seeds that have both: first of the dark and blueprint tasks, of which
the model knows little, with the standard deviation over tasks, then of the plain ones; of shared prompts, and of
prompts adapted with the default share of their start. ``mvlpt.graph.choice.known_gains`` holds the same numbers as
data. Runs nothing. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.sharing_table import read_table

TABLE = Path(__file__).with_name("results") / "sharing.csv"
KINDS = {"image": "VPT", "text": "CoOp"}  # what a prompt changes, and the trainer that measures it
SHOTS = (1, 4)
COLUMNS = {"all": "all", "visual.centred": "look", "visual": "plain", "classes": "subject"}
HEADS = {"all": "all", "classes": "tasks of the same classes"}
LOOKS = {"little": ("dark", "blueprint"), "well": ("plain",)}
ADAPTED = {("image", 1): "keep50", ("image", 4): "keep25"}  # 0.5 / sqrt(shots) of an image prompt's start; text keeps 0
Scores = Mapping[tuple[str, int], float]
Gains = dict[tuple[str, int, str], tuple[tuple[float, float, float], tuple[float, float, float]]]


def measured_gains(rows: Iterable[Mapping[str, Any]]) -> Gains:
    """By what a prompt changes, images a class and candidate: (shared, adapted), each (little, well, spread)."""
    scores: dict[tuple[str, int, str], dict[tuple[str, int], float]] = {}
    for row in rows:
        if not row["group"]:
            scores.setdefault((row["trainer"], row["shots"], row["arm"]), {})[row["task"], row["seed"]] = row["value"]
    found: Gains = {}
    for (kind, trainer), shots, (name, partition) in (
        (pair, n, column) for pair in KINDS.items() for n in SHOTS for column in COLUMNS.items()
    ):
        shared = "all" if partition == "all" else f"grouped-{partition}"
        adapted = f"{ADAPTED.get((kind, shots), 'adapted')}-{partition}"
        alone = scores[trainer, shots, "single"]
        found[kind, shots, name] = tuple(
            (
                *(float(np.mean(_gains(scores[trainer, shots, arm], alone, looks))) for looks in LOOKS.values()),
                float(np.std(_gains(scores[trainer, shots, arm], alone, LOOKS["little"]))),
            )
            for arm in (shared, adapted)
        )
    return found


def _gains(scores: Scores, alone: Scores, looks: Sequence[str]) -> list[float]:
    """Each task's gain, a mean over the seeds that have both."""
    found: dict[str, list[float]] = {}
    for (task, seed), value in scores.items():
        if (task, seed) in alone and task.rpartition("-")[2] in looks:
            found.setdefault(task, []).append(value - alone[task, seed])
    return [float(np.mean(values)) for values in found.values()]


def markdown(gains: Gains) -> str:
    """The table of docs/choosing.md."""
    head = " | ".join(HEADS.get(name, f"by `{name}`") for name in COLUMNS)
    lines = [f"| points over alone: little, well known; shared / adapted | {head} |", "|---|" + "---|" * len(COLUMNS)]
    for kind, shots in ((kind, shots) for kind in KINDS for shots in SHOTS):
        cells = (" / ".join(map(_cell, gains[kind, shots, name])) for name in COLUMNS)
        named = "visual" if kind == "image" else "text"
        lines.append(f"| {named}, {shots} image{'s' * (shots > 1)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(known: tuple[float, float, float]) -> str:
    little, well, spread = known
    return f"{little:+.1f} ± {spread:.1f}, {round(well, 1) + 0.0:+.1f}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--quick", action="store_true", help="the same: nothing is measured")
    args = parser.parse_args()
    gains = measured_gains(read_table(args.table))
    print(markdown(gains))
    print(json.dumps({"gains": {" ".join(map(str, key)): np.round(value, 1).tolist() for key, value in gains.items()}}))


if __name__ == "__main__":
    main()
