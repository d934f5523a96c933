"""What the chooser knows before it measures anything, from the table of ``benchmarks/sharing.py``.

    python benchmarks/known_gains.py                       # the table of docs/choosing.md
    python benchmarks/known_gains.py --table FILE.csv      # of another table

Gains over each task alone, means over tasks and seeds that have both: first of the dark and blueprint tasks, of which
the model knows little, then of the plain ones; of shared prompts, and of prompts adapted with the default share of
their start. ``mvlpt.graph.choice.known_gains`` holds the same numbers as data. Runs nothing. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
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
Gains = dict[tuple[str, int, str], tuple[tuple[float, float], tuple[float, float]]]


def measured_gains(rows: Iterable[Mapping[str, Any]]) -> Gains:
    """Points of (shared, adapted), each (little, well known), by what a prompt changes, images a class, candidate."""
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
            tuple(_mean_gain(scores[trainer, shots, arm], alone, looks) for looks in LOOKS.values())
            for arm in (shared, adapted)
        )
    return found


def _mean_gain(scores: Mapping[tuple[str, int], float], alone: Mapping[tuple[str, int], float], looks: Any) -> float:
    both = [key for key in scores if key in alone and key[0].rpartition("-")[2] in looks]
    return round(float(np.mean([scores[key] - alone[key] for key in both])), 1) + 0.0  # no -0.0


def markdown(gains: Gains) -> str:
    """The table of docs/choosing.md."""
    head = " | ".join(HEADS.get(name, f"by `{name}`") for name in COLUMNS)
    lines = [f"| points over alone: little, well known; shared / adapted | {head} |", "|---|" + "---|" * len(COLUMNS)]
    for kind, shots in ((kind, shots) for kind in KINDS for shots in SHOTS):
        cells = (
            " / ".join(", ".join(f"{value:+.1f}" for value in pair) for pair in gains[kind, shots, name])
            for name in COLUMNS
        )
        named = "visual" if kind == "image" else "text"
        lines.append(f"| {named}, {shots} image{'s' * (shots > 1)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--quick", action="store_true", help="the same: nothing is measured")
    args = parser.parse_args()
    gains = measured_gains(read_table(args.table))
    print(markdown(gains))
    print(json.dumps({"gains": {" ".join(map(str, key)): value for key, value in gains.items()}}))


if __name__ == "__main__":
    main()
