"""What is known of candidates before anything is trained: gains over each task alone, measured on other images.

With one image a class, folds can leave out classes only, which favours sharing by an unknown amount. So what was
measured on other images counts more there. The gains are means over the 24 embedded tasks, tested on their validation
designers, with one image a class and five seeds (``docs/choosing.md`` has the table).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mvlpt.graph.choice.candidates import Candidate

TEXT, IMAGE = "text", "image"
_GAINS: Mapping[tuple[str, str], tuple[float, float]] = MappingProxyType(
    {  # (what the prompt changes, candidate): shared, then adapted
        (IMAGE, "all"): (5.4, 5.9),
        (IMAGE, "visual.centred"): (7.2, 5.3),
        (IMAGE, "visual"): (5.3, 5.6),
        (IMAGE, "label"): (2.1, 4.0),
        (TEXT, "all"): (-5.4, -1.5),
        (TEXT, "visual.centred"): (0.0, 1.4),
        (TEXT, "visual"): (-1.4, 0.6),
        (TEXT, "label"): (-1.1, 0.9),
    }
)
UNKNOWN_GROUPS = "label"  # groups by any other matrix are expected to do as these
OTHER_COUNT = -1.0  # points, for another number of groups than the objective prefers
ERROR = 0.5  # standard error of a mean gain, points: over 24 tasks and five seeds; on other tasks it is larger
CLASS_FOLD_BIAS = 5.0  # points, the size of the error that folds which leave out classes make for all tasks alike


@dataclass(frozen=True)
class Prior:
    """What is expected of a candidate.

    Attributes:
        gain: over each task alone, points, in the mean over tasks.
        error: the standard error of that mean.
    """

    gain: float
    error: float


def known_gains(candidates: Sequence[Candidate], trains: Sequence[str]) -> dict[str, Prior]:
    """The expected gain of each candidate.

    Args:
        candidates: as :func:`~mvlpt.graph.choice.propose_candidates` makes them: of the candidates by one matrix, the
            first has the number of groups that the objective prefers.
        trains: ``text``, ``image`` or both: what a prompt changes. For both, the mean of the two is expected.

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
        row = matrix if matrix in known else UNKNOWN_GROUPS
        gains = [_GAINS[kind, row][candidate.adapted] for kind in (TEXT, IMAGE) if kind in trains]
        gain = sum(gains) / len(gains) if gains else 0.0
        found[candidate.name] = Prior(gain + (0.0 if preferred else OTHER_COUNT), ERROR)
    return found
