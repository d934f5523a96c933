"""What is known of candidates before anything is trained: gains over each task alone, measured on other images.

With one image a class, folds can leave out classes only, which favours sharing by an unknown amount. So what was
measured on other images counts more there. The gains are means over the 24 embedded tasks, tested on their validation
designers (``known_gains.csv``, which ``benchmarks/sharing_pages.py`` writes). They depend on how much the untuned model
knows of a task: a text prompt of a task that it knows well gains nothing from other tasks.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from mvlpt.graph.choice.candidates import Candidate

TEXT, IMAGE, BOTH = "text", "image", "both"
SAME_CLASSES = "classes"  # groups of tasks that have the same classes, and differ in their images
LITTLE_KNOWN, WELL_KNOWN = 0.3, 0.75  # zero-shot accuracy of the tasks that the two columns of a gain were measured on
_TYPICAL = 0.45  # over all of them
_Known = tuple[float, float, float]  # mean gain of little and of well known tasks; deviation over the little known ones
OTHER_GROUPS = -1.0  # points, for groups by any other matrix, such as label, compared with tasks of the same classes
OTHER_SPREAD = 12.0  # points, of gains of groups that were never measured: no less than of any other
OTHER_COUNT = -1.0  # points, for another number of groups than the objective prefers
ERROR = 0.5  # standard error of a mean gain, points: over 24 tasks and several seeds; on other tasks it is larger
ELSEWHERE = 1.0  # the error that is allowed for where folds of images can correct what is known
PRIOR_IMAGES = 4.0  # an accuracy on few images is shrunk to the mean over tasks as by this many images
CLASS_FOLD_BIAS = 5.0  # points, the size of the error that folds which leave out classes make for all tasks alike


@dataclass(frozen=True)
class Prior:
    """What is expected of a candidate.

    Attributes:
        gain: over each task alone, points; one for all tasks, or (T,) in their order.
        error: the standard error of its mean over tasks.
        spread: by how much the gain differs between tasks, a standard deviation in points; 0 where it is not known.
    """

    gain: float | tuple[float, ...]
    error: float
    spread: float = 0.0


def known_gains(
    candidates: Sequence[Candidate],
    trains: Sequence[str],
    *,
    shots: int = 1,
    zero_shot: Sequence[float] | None = None,
    error: float = ERROR,
) -> dict[str, Prior]:
    """The expected gain of each candidate.

    Args:
        candidates: as :func:`~mvlpt.graph.choice.propose_candidates` makes them: of the candidates by one matrix, the
            first has the number of groups that the objective prefers.
        trains: ``text``, ``image`` or both: what a prompt changes.
        shots: images a class, below 1 for all; gains between measured numbers are interpolated in its logarithm, those
            beyond are those of the largest.
        zero_shot: (T,) accuracy of the untuned model on each task, 0 to 1; ``None`` for a typical one.
        error: the standard error of the gains.

    Returns:
        By the name of the candidate; that of each task alone is certain to be 0.
    """
    gains = _measured()
    known = {row for _, row in gains}
    kind = BOTH if {TEXT, IMAGE} <= set(trains) else next((one for one in (TEXT, IMAGE) if one in trains), None)
    found: dict[str, Prior] = {}
    seen: set[tuple[str, bool]] = set()
    for candidate in candidates:
        if candidate.arm == "single":
            found[candidate.name] = Prior(0.0, 0.0)
            continue
        matrix = candidate.name.removeprefix("adapted-").rpartition("-")[0] or "all"
        preferred = matrix == "all" or (matrix, candidate.adapted) not in seen
        seen.add((matrix, candidate.adapted))
        row = matrix if matrix in known else SAME_CLASSES
        gain, spread = np.zeros(() if zero_shot is None else len(zero_shot)), OTHER_SPREAD
        if kind is not None:
            little, well, between = _at(shots, gains[kind, row], candidate.adapted)
            ends = (LITTLE_KNOWN, WELL_KNOWN), (little, well)
            gain = np.interp(_TYPICAL if zero_shot is None else zero_shot, *ends)
            spread = float(between) if matrix in known else OTHER_SPREAD
        gain = gain + (0.0 if preferred else OTHER_COUNT) + (0.0 if matrix in known else OTHER_GROUPS)
        found[candidate.name] = Prior(float(gain) if zero_shot is None else tuple(map(float, gain)), error, spread)
    return found


def shrunk_accuracies(accuracies: Sequence[float], images: Sequence[int]) -> list[float]:
    """Accuracies on few images, each shrunk to the mean over tasks: (n a + m mean) / (n + m), m = ``PRIOR_IMAGES``.

    The posterior mean under a beta distribution round the mean of all tasks. With one image a class an accuracy has a
    standard error of 10 to 20 points, and says less of a task than of the tasks together.

    Args:
        accuracies: (T,), 0 to 1.
        images: (T,) the number of images of each.
    """
    mean = math.fsum(accuracies) / len(accuracies)
    return [(n * a + PRIOR_IMAGES * mean) / (n + PRIOR_IMAGES) for a, n in zip(accuracies, images, strict=True)]


@cache
def _measured() -> Mapping[tuple[str, str], Mapping[int, Mapping[bool, _Known]]]:
    """By what the prompt changes and candidate, by images a class, shared (``False``) and adapted (``True``)."""
    found: dict[tuple[str, str], dict[int, dict[bool, _Known]]] = {}
    text = resources.files("mvlpt").joinpath("graph", "choice", "known_gains.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        known = float(row["little_known"]), float(row["well_known"]), float(row["spread"])
        at = found.setdefault((row["prompt"], row["candidate"]), {}).setdefault(int(row["images"]), {})
        at[row["adapted"] == "yes"] = known
    return found


def _at(shots: int, known: Mapping[int, Mapping[bool, _Known]], adapted: bool) -> np.ndarray:
    """What is known (3,) at a number of shots, between those that were measured."""
    at = math.log(shots if shots > 0 else max(known))
    columns = zip(*(pair[adapted] for pair in known.values()), strict=True)
    return np.array([np.interp(at, np.log(list(known)), column) for column in columns])
