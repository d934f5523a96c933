"""What is known of candidates before anything is trained: gains over each task alone, measured on other images.

With one image a class, folds can leave out classes only, which favours sharing by an unknown amount. So what was
measured on other images counts more there. The gains are means over the 24 embedded tasks, tested on their validation
designers (``benchmarks/known_gains.py`` prints them). They depend on how much the untuned model knows of a task: a text
prompt of a task that it knows well gains nothing from other tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mvlpt.graph.choice.candidates import Candidate

TEXT, IMAGE = "text", "image"
SAME_CLASSES = "classes"  # groups of tasks that have the same classes, and differ in their images
LITTLE_KNOWN, WELL_KNOWN = 0.3, 0.75  # zero-shot accuracy of the tasks that the two columns of a gain were measured on
_TYPICAL = 0.45  # over all of them
_SHOTS = (1, 4)
_GAINS: Mapping[tuple[str, str], tuple[tuple[tuple[float, float], tuple[float, float]], ...]] = MappingProxyType(
    {  # (what the prompt changes, candidate): at 1 and at 4 images a class, shared and adapted, little and well known
        (IMAGE, "all"): (((6.5, 0.8), (10.6, 2.7)), ((2.7, -2.7), (5.6, -1.1))),
        (IMAGE, "visual.centred"): (((7.9, 4.4), (10.6, 2.9)), ((4.6, -1.6), (7.4, 0.2))),
        (IMAGE, "visual"): (((6.6, 4.4), (9.6, 2.9)), ((2.2, -1.6), (4.8, 0.2))),
        (IMAGE, SAME_CLASSES): (((0.4, 1.9), (2.9, 2.7)), ((1.7, -2.0), (6.1, 0.5))),
        (TEXT, "all"): (((-0.6, -10.3), (2.5, -5.8)), ((-2.9, -11.3), (3.0, -5.4))),
        (TEXT, "visual.centred"): (((1.2, -1.7), (3.1, -1.1)), ((0.2, -0.5), (2.4, 0.0))),
        (TEXT, "visual"): (((-0.4, -1.7), (2.4, -1.1)), ((-1.4, -0.5), (2.8, 0.0))),
        (TEXT, SAME_CLASSES): (((0.6, -3.0), (2.9, -0.5)), ((0.2, -8.3), (4.6, -3.3))),
    }
)
OTHER_GROUPS = -1.0  # points, for groups by any other matrix, such as label, compared with tasks of the same classes
OTHER_COUNT = -1.0  # points, for another number of groups than the objective prefers
ERROR = 0.5  # standard error of a mean gain, points: over 24 tasks and several seeds; on other tasks it is larger
ELSEWHERE = 1.0  # the error that is allowed for where folds of images can correct what is known
PRIOR_IMAGES = 4.0  # an accuracy on few images is pulled to the mean over tasks as by this many images
CLASS_FOLD_BIAS = 5.0  # points, the size of the error that folds which leave out classes make for all tasks alike


@dataclass(frozen=True)
class Prior:
    """What is expected of a candidate.

    Attributes:
        gain: over each task alone, points; one for all tasks, or (T,) in their order.
        error: the standard error of its mean over tasks.
    """

    gain: float | tuple[float, ...]
    error: float


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
        trains: ``text``, ``image`` or both: what a prompt changes. For both, the mean of the two is expected.
        shots: images a class, below 1 for all; gains between 1 and 4 are interpolated in its logarithm, those beyond
            are those of 4.
        zero_shot: (T,) accuracy of the untuned model on each task, 0 to 1; ``None`` for a typical one.
        error: the standard error of the gains.

    Returns:
        By the name of the candidate; that of each task alone is certain to be 0.
    """
    known = {row for _, row in _GAINS}
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
        gains = [_gain(kind, row, candidate.adapted, shots, zero_shot) for kind in (TEXT, IMAGE) if kind in trains]
        gain = np.mean(gains, axis=0) if gains else np.zeros(() if zero_shot is None else len(zero_shot))
        gain = gain + (0.0 if preferred else OTHER_COUNT) + (0.0 if matrix in known else OTHER_GROUPS)
        found[candidate.name] = Prior(float(gain) if zero_shot is None else tuple(map(float, gain)), error)
    return found


def steadied(accuracies: Sequence[float], images: Sequence[int]) -> list[float]:
    """Accuracies on few images, each pulled to the mean over tasks: (n a + m mean) / (n + m), m = ``PRIOR_IMAGES``.

    The posterior mean under a beta distribution round the mean of all tasks. With one image a class an accuracy has a
    standard error of 10 to 20 points, and says less of a task than of the tasks together.

    Args:
        accuracies: (T,), 0 to 1.
        images: (T,) the number of images of each.
    """
    mean = math.fsum(accuracies) / len(accuracies)
    return [(n * a + PRIOR_IMAGES * mean) / (n + PRIOR_IMAGES) for a, n in zip(accuracies, images, strict=True)]


def _gain(kind: str, row: str, adapted: bool, shots: int, zero_shot: Sequence[float] | None) -> np.ndarray:
    """Of one kind of prompt; a number, or (T,)."""
    ends = [
        np.interp(_TYPICAL if zero_shot is None else zero_shot, (LITTLE_KNOWN, WELL_KNOWN), at[adapted])
        for at in _GAINS[kind, row]
    ]
    share = np.interp(math.log(shots if shots > 0 else max(_SHOTS)), np.log(_SHOTS), (0.0, 1.0))
    return (1 - share) * ends[0] + share * ends[1]
