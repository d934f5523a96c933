"""What the chooser knows before it measures anything: gains over each task alone, from the table of the sharing suite.

``benchmarks/sharing_pages.py`` writes them to the file that ``mvlpt.graph.choice.known_gains`` reads;
``benchmarks/sharing.py --known`` prints them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.marked_tables import head, line
from benchmarks.sharing_table import SHOTS, Row, score_array, settings

KINDS = {"image": "VPT", "text": "CoOp", "both": "UPT"}  # what a prompt changes, and the trainer that measures it
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
    kinds = {trainer: kind for kind, trainer in KINDS.items()}
    for trainer, shots, mine in settings(rows, kinds):
        for name, partition in COLUMNS.items():
            shared = "all" if partition == "all" else f"grouped-{partition}"
            adapted = [f"{arm}-{partition}" for arm in kept_arms(trainer, shots)]
            found[kinds[trainer], shots, name] = _known(mine, [shared]), _known(mine, adapted)
    return found


def kept_arms(trainer: str, shots: int) -> tuple[str, ...]:
    """How the names of the adapted arms begin that keep the default share of their start; their mean stands for it."""
    return ("adapted",) if trainer == "CoOp" else KEPT[shots]  # a text prompt keeps nothing


def _known(rows: Sequence[Row], arms: Sequence[str]) -> Known:
    """The mean of the arms."""
    (alone, *scores), tasks, _ = score_array(rows, ["single", *arms])
    gains = (np.mean(scores, axis=0) - alone).mean(axis=1)
    well = np.array([task.endswith(WELL_KNOWN) for task in tasks])
    return float(gains[~well].mean()), float(gains[well].mean()), float(gains[~well].std())


def markdown(rows: Sequence[Row]) -> str:
    """The table of docs/choosing.md."""
    columns = (HEADS.get(name, f"by `{name}`") for name in COLUMNS)
    lines = head(["points over alone: little, well known; shared / adapted", *columns])
    gains = measured_gains(rows)
    for kind in KINDS:
        for shots in (shots for shots in SHOTS if (kind, shots, "all") in gains):
            cells = (" / ".join(map(_cell, gains[kind, shots, name])) for name in COLUMNS)
            named = {"image": "visual"}.get(kind, kind)
            lines.append(line([f"{named}, {shots} image{'s' * (shots > 1)}", *cells]))
    return "\n".join(lines)


def known_table(rows: Sequence[Row]) -> str:
    """The table that ``known_gains`` reads: the gains of each prompt, candidate and number of images, in points."""
    lines = ["prompt,candidate,images,adapted,little_known,well_known,spread"]
    gains = sorted(measured_gains(rows).items(), key=lambda item: (list(KINDS).index(item[0][0]), item[0][1]))
    for (kind, shots, name), pair in gains:
        for adapted, values in zip(("no", "yes"), pair, strict=True):
            lines.append(",".join([kind, name, str(shots), adapted, *(f"{_tenth(value):.1f}" for value in values)]))
    return "\n".join(lines) + "\n"


def _tenth(value: float) -> float:
    return round(value, 1) + 0.0  # + 0.0: no -0.0


def _cell(known: Known) -> str:
    little, well, spread = known
    return f"{_tenth(little):+.1f} ± {spread:.1f}, {_tenth(well):+.1f}"
