"""What is known of candidates before anything is trained: gains over each task alone, measured on other images.

With one image a class, folds can leave out classes only, which favours sharing by an unknown amount. So what was
measured on other images counts more there. The gains are means over the 24 embedded tasks, tested on their validation
designers (``benchmarks/sharing.py --known`` prints them). They depend on how much the untuned model knows of a task: a
text prompt of a task that it knows well gains nothing from other tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mvlpt.graph.choice.candidates import Candidate

TEXT, IMAGE, BOTH = "text", "image", "both"
SAME_CLASSES = "classes"  # groups of tasks that have the same classes, and differ in their images
LITTLE_KNOWN, WELL_KNOWN = 0.3, 0.75  # zero-shot accuracy of the tasks that the two columns of a gain were measured on
_TYPICAL = 0.45  # over all of them
_Known = tuple[float, float, float]  # mean gain of little and of well known tasks; deviation over the little known ones
_GAINS: Mapping[tuple[str, str], Mapping[int, tuple[_Known, _Known]]] = MappingProxyType(
    {  # (what the prompt changes, candidate): by images a class, shared and adapted
        (IMAGE, "all"): {
            1: ((6.7, 1.4, 5.7), (9.5, 4.0, 5.4)),
            2: ((5.5, -1.5, 5.3), (9.8, 0.5, 6.3)),
            4: ((3.1, -1.3, 3.8), (6.2, 0.0, 4.3)),
            8: ((0.2, -3.9, 7.5), (4.8, -0.9, 4.8)),
        },
        (IMAGE, "visual.centred"): {
            1: ((8.3, 4.0, 6.5), (10.2, 2.8, 5.1)),
            2: ((8.3, -0.3, 5.9), (10.1, 0.9, 6.1)),
            4: ((4.9, -1.0, 4.8), (7.6, 0.7, 4.7)),
            8: ((3.4, -1.1, 5.4), (6.3, 0.9, 7.6)),
        },
        (IMAGE, "visual"): {
            1: ((6.5, 4.0, 5.4), (9.1, 2.8, 5.8)),
            2: ((7.1, -0.3, 7.8), (9.9, 0.9, 7.1)),
            4: ((1.6, -1.0, 5.5), (5.0, 0.7, 5.3)),
            8: ((1.2, -1.1, 7.0), (5.5, 0.9, 6.8)),
        },
        (IMAGE, SAME_CLASSES): {
            1: ((0.2, 1.7, 3.2), (2.7, 3.0, 4.1)),
            2: ((1.9, -1.6, 4.9), (3.9, 1.2, 4.8)),
            4: ((0.9, -1.9, 5.5), (4.8, 0.3, 5.4)),
            8: ((-0.3, -1.1, 7.4), (2.8, 1.4, 6.2)),
        },
        (TEXT, "all"): {
            1: ((-0.6, -10.3, 10.7), (2.5, -5.8, 10.0)),
            2: ((-1.4, -11.1, 9.7), (2.3, -5.0, 9.3)),
            4: ((-3.0, -11.7, 7.7), (2.8, -5.5, 8.8)),
            8: ((-5.6, -13.8, 9.3), (1.3, -5.8, 10.3)),
        },
        (TEXT, "visual.centred"): {
            1: ((1.2, -1.7, 9.4), (3.1, -1.1, 10.0)),
            2: ((1.4, -1.0, 8.2), (3.0, -0.1, 8.6)),
            4: ((0.0, -0.4, 8.7), (2.3, -0.4, 7.0)),
            8: ((-1.8, -1.2, 9.3), (2.7, -0.6, 8.6)),
        },
        (TEXT, "visual"): {
            1: ((-0.4, -1.7, 12.0), (2.4, -1.1, 10.4)),
            2: ((-2.2, -1.0, 11.6), (2.1, -0.1, 9.9)),
            4: ((-1.5, -0.4, 9.5), (2.2, -0.4, 7.8)),
            8: ((-3.0, -1.2, 12.7), (2.2, -0.6, 10.4)),
        },
        (TEXT, SAME_CLASSES): {
            1: ((0.6, -3.0, 4.3), (2.9, -0.5, 5.1)),
            2: ((0.0, -3.9, 4.3), (2.8, 0.2, 5.0)),
            4: ((0.0, -8.6, 5.3), (4.2, -3.5, 6.2)),
            8: ((-0.1, -10.4, 7.7), (4.8, -1.8, 8.4)),
        },
        (BOTH, "all"): {
            1: ((6.7, -2.5, 5.4), (8.7, -0.2, 6.1)),
            2: ((6.6, -5.0, 7.5), (9.8, -1.5, 8.5)),
            4: ((0.4, -5.9, 4.3), (4.7, -2.6, 5.6)),
            8: ((-2.8, -9.2, 6.2), (2.4, -3.3, 6.1)),
        },
        (BOTH, "visual.centred"): {
            1: ((7.3, -1.5, 6.8), (8.8, 0.9, 6.6)),
            2: ((6.8, -0.4, 8.0), (9.9, -0.7, 8.8)),
            4: ((2.8, -2.9, 4.5), (5.5, -1.0, 4.6)),
            8: ((0.4, -4.5, 6.5), (4.5, -0.8, 5.8)),
        },
        (BOTH, "visual"): {
            1: ((6.0, -1.5, 6.6), (8.6, 0.9, 6.6)),
            2: ((6.5, -0.4, 8.8), (9.8, -0.7, 9.0)),
            4: ((-0.7, -2.9, 4.4), (3.1, -1.0, 3.6)),
            8: ((-2.7, -4.5, 6.1), (2.3, -0.8, 6.1)),
        },
        (BOTH, SAME_CLASSES): {
            1: ((2.8, 0.3, 4.0), (4.4, 1.8, 4.4)),
            2: ((2.0, -2.1, 7.5), (5.7, 1.4, 7.5)),
            4: ((2.1, -2.2, 4.4), (4.0, 0.4, 3.6)),
            8: ((1.9, -3.8, 4.2), (4.4, 0.9, 5.4)),
        },
    }
)
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
    known = {row for _, row in _GAINS}
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
            little, well, between = _at(shots, _GAINS[kind, row], candidate.adapted)
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


def _at(shots: int, known: Mapping[int, tuple[_Known, _Known]], adapted: bool) -> np.ndarray:
    """What is known (3,) at a number of shots, between those that were measured."""
    at = math.log(shots if shots > 0 else max(known))
    columns = zip(*(pair[adapted] for pair in known.values()), strict=True)
    return np.array([np.interp(at, np.log(list(known)), column) for column in columns])
