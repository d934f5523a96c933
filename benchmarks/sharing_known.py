"""What the chooser knows before it measures anything: gains over each task alone, from the table of the sharing suite.

``mvlpt.graph.choice.known_gains`` holds the same numbers as data; ``benchmarks/sharing.py --known`` prints them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.sharing_table import Row, score_array

KINDS = {"image": "VPT", "text": "CoOp", "both": "UPT"}  # what a prompt changes, and the trainer that measures it
SHOTS = (1, 2, 4, 8)
COLUMNS = {"all": "all", "visual.centred": "look", "visual": "plain", "classes": "subject"}
HEADS = {"all": "all", "classes": "tasks of the same classes"}
WELL_KNOWN = "-plain"  # ends the names of the tasks that the model knows well
KEPT = {1: ("keep50",), 2: ("keep25", "keep50"), 4: ("keep25",), 8: ("keep25",)}  # near 0.5 / sqrt(shots)
Known = tuple[float, float, float]


def measured_gains(rows: Sequence[Row]) -> dict[tuple[str, int, str], tuple[Known, Known]]:
    """By what a prompt changes, images a class and candidate: of shared prompts, and of those adapted from them.

    Of each: the mean gain of tasks that the model knows little, and well, over the seeds that have both arms; and the
    standard deviation over the tasks that it knows little. In points. What the table lacks is left out.
    """
    found = {}
    for kind, trainer in KINDS.items():
        for shots in SHOTS:
            mine = [row for row in rows if (row["trainer"], row["shots"]) == (trainer, shots)]
            if not mine:
                continue
            for name, partition in COLUMNS.items():
                shared = "all" if partition == "all" else f"grouped-{partition}"
                kept = ("adapted",) if kind == "text" else KEPT[shots]  # a text prompt keeps nothing of its start
                adapted = [f"{arm}-{partition}" for arm in kept]
                found[kind, shots, name] = _known(mine, [shared]), _known(mine, adapted)
    return found


def _known(rows: Sequence[Row], arms: Sequence[str]) -> Known:
    """The mean of the arms."""
    (alone, *scores), tasks, _ = score_array(rows, ["single", *arms])
    gains = (np.mean(scores, axis=0) - alone).mean(axis=1)
    well = np.array([task.endswith(WELL_KNOWN) for task in tasks])
    return float(gains[~well].mean()), float(gains[well].mean()), float(gains[~well].std())


def markdown(rows: Sequence[Row]) -> str:
    """The table of docs/choosing.md."""
    head = " | ".join(HEADS.get(name, f"by `{name}`") for name in COLUMNS)
    lines = [f"| points over alone: little, well known; shared / adapted | {head} |", "|---|" + "---|" * len(COLUMNS)]
    gains = measured_gains(rows)
    for kind in KINDS:
        for shots in (shots for shots in SHOTS if (kind, shots, "all") in gains):
            cells = (" / ".join(map(_cell, gains[kind, shots, name])) for name in COLUMNS)
            named = {"image": "visual"}.get(kind, kind)
            lines.append(f"| {named}, {shots} image{'s' * (shots > 1)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(known: Known) -> str:
    little, well, spread = known
    return f"{round(little, 1) + 0.0:+.1f} ± {spread:.1f}, {round(well, 1) + 0.0:+.1f}"
