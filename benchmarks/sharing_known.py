"""What the chooser knows before it measures anything: gains over each task alone, from the table of the sharing suite.

``benchmarks/sharing_pages.py`` writes them to the file that ``mvlpt.graph.choice.known_gains`` reads;
``benchmarks/sharing.py --known`` prints them, and how the errors of two gains add up in their difference.
"""

from __future__ import annotations

import itertools
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
            shared, adapted = _arms(trainer, shots, partition)
            found[kinds[trainer], shots, name] = _known(mine, shared), _known(mine, adapted)
    return found


def _arms(trainer: str, shots: int, partition: str) -> tuple[list[str], list[str]]:
    """The arms that stand for a candidate: shared, and adapted."""
    shared = "all" if partition == "all" else f"grouped-{partition}"
    return [shared], [f"{arm}-{partition}" for arm in kept_arms(trainer, shots)]


def kept_arms(trainer: str, shots: int) -> tuple[str, ...]:
    """How the names of the adapted arms begin that keep the default share of their start; their mean stands for it."""
    return ("adapted",) if trainer == "CoOp" else KEPT[shots]  # a text prompt keeps nothing


def _known(rows: Sequence[Row], arms: Sequence[str]) -> Known:
    gains, well = _gains(rows, arms)
    return float(gains[~well].mean()), float(gains[well].mean()), float(gains[~well].std())


def _gains(rows: Sequence[Row], arms: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Of each task the gain of the arms' mean, and whether the model knows the task well. (tasks,) each."""
    (alone, *scores), tasks, _ = score_array(rows, ["single", *arms])
    return (np.mean(scores, axis=0) - alone).mean(axis=1), np.array([task.endswith(WELL_KNOWN) for task in tasks])


def difference_variance(gains: np.ndarray, well: np.ndarray) -> float:
    """The variance of the difference of two gains, as a share of the sum of theirs; mean over pairs of candidates.

    1 if their errors have nothing in common, a half if half of each is that of the same scores alone. Variances are
    those between tasks of a kind, which is what the error of a mean over tasks comes from.

    Args:
        gains: (candidates, tasks).
        well: (tasks,), the kind of each.
    """
    centred = gains.astype(float)
    for kind in (well, ~well):
        centred[:, kind] -= centred[:, kind].mean(axis=1, keepdims=True)
    squares = (centred**2).sum(axis=1)
    pairs = itertools.combinations(range(len(gains)), 2)
    return float(np.mean([((centred[i] - centred[j]) ** 2).sum() / (squares[i] + squares[j]) for i, j in pairs]))


def variances(rows: Sequence[Row]) -> dict[str, float]:
    """:func:`difference_variance` over the candidates of each setting, such as ``VPT-4``."""
    found = {}
    for trainer, shots, mine in settings(rows, KINDS.values()):
        arms = [arms for partition in COLUMNS.values() for arms in _arms(trainer, shots, partition)]
        gains, kinds = zip(*(_gains(mine, names) for names in arms), strict=True)
        found[f"{trainer}-{shots}"] = difference_variance(np.array(gains), kinds[0])
    return found


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
