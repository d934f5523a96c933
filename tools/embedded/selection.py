"""From candidates to the drawings of each task: audit, near-duplicates, minimum sizes, a share for every look."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from embedded import duplicates
from embedded.candidates import Candidate
from embedded.splits import SPLITS

Rejections = dict[str, dict[str, dict[str, str]]]
REJECTED_FILE = Path(__file__).with_name("rejected.json")
PER_DESIGNER = 2
MINIMUM_IMAGES = {"train": 4, "val": 1, "test": 4}
MINIMUM_DESIGNERS = {"train": 3, "val": 1, "test": 3}


@dataclass
class Tally:
    """How many drawings each rule threw out."""

    candidates: int = 0
    audit: int = 0
    unused_rejections: list[str] = field(default_factory=list)
    near_pretraining: int = 0
    near_other_designer: int = 0
    near_other_class: int = 0
    near_same_drawing: int = 0
    small_classes: list[str] = field(default_factory=list)
    kept: int = 0


def load_rejected(path: Path = REJECTED_FILE) -> Rejections:
    """The audit: subject -> class -> ``set:icon`` -> reason."""
    return json.loads(path.read_text())["rejected"]


def audit(drawn: Sequence[Candidate], rejected: Rejections, tally: Tally) -> list[Candidate]:
    """Leaves out what the audit rejected (``*`` stands for any ending), and notes rejections that match no drawing."""
    used: set[tuple[str, str, str]] = set()
    kept = []
    for d in drawn:
        patterns = rejected.get(d.subject, {}).get(d.class_name, {})
        hits = [pattern for pattern in patterns if fnmatchcase(d.key, pattern)]
        used.update((d.subject, d.class_name, pattern) for pattern in hits)
        if not hits:
            kept.append(d)
    wanted = {(s, c, pattern) for s, classes in rejected.items() for c, icons in classes.items() for pattern in icons}
    tally.unused_rejections = sorted("/".join(entry) for entry in wanted - used)
    tally.audit = len(drawn) - len(kept)
    return kept


def drop_near_duplicates(drawn: Sequence[Candidate], pretraining: np.ndarray | None, tally: Tally) -> list[Candidate]:
    """Removes near-duplicates.

    Twins of a pretraining drawing go; twins of two designers both go, whatever their splits; twins of one designer
    under two class names of a subject both go; of twins of one designer and class the first stays.

    Args:
        drawn: Candidates.
        pretraining: (2, M, S) thumbnails of the pretraining corpus, or None.
        tally: Counts, updated.

    Returns:
        What is left, in order.
    """
    thumbs = duplicates.signatures(np.stack([d.alpha for d in drawn]))
    near_corpus: set[int] = set()
    if pretraining is not None:
        near_corpus = set(duplicates.near_pairs(thumbs, pretraining)[:, 0].tolist())
    strangers: set[int] = set()
    confused: set[int] = set()
    repeats: set[int] = set()
    for a, b in duplicates.near_pairs(thumbs, thumbs).tolist():
        first, second = drawn[a], drawn[b]
        if a == b or first.key == second.key:
            continue
        if first.designer != second.designer:
            strangers.update((a, b))
        elif first.subject == second.subject and first.class_name != second.class_name:
            confused.update((a, b))
        elif first.subject == second.subject and a < b and a not in repeats:
            repeats.add(b)
    tally.near_pretraining += len(near_corpus)
    tally.near_other_designer += len(strangers - near_corpus)
    tally.near_other_class += len(confused - strangers - near_corpus)
    gone = near_corpus | strangers | confused
    tally.near_same_drawing += len(repeats - gone)
    return [d for i, d in enumerate(drawn) if i not in gone | repeats]


def drop_small_classes(drawn: Sequence[Candidate], split_of: dict[str, str], tally: Tally) -> list[Candidate]:
    """Leaves out classes that would have too few images or designers on some side."""
    per_designer = Counter((d.subject, d.class_name, d.designer) for d in drawn)
    images: dict[tuple[str, str], Counter] = defaultdict(Counter)
    designers: dict[tuple[str, str], Counter] = defaultdict(Counter)
    for (subject, class_name, designer), count in per_designer.items():
        images[subject, class_name][split_of[designer]] += min(count, PER_DESIGNER)
        designers[subject, class_name][split_of[designer]] += 1
    small = {
        key
        for key in images
        if any(
            images[key][split] < MINIMUM_IMAGES[split] or designers[key][split] < MINIMUM_DESIGNERS[split]
            for split in SPLITS
        )
    }
    tally.small_classes = sorted("/".join(key) for key in small)
    return [d for d in drawn if (d.subject, d.class_name) not in small]


def share_for_look(drawings: Sequence[Candidate], look_index: int) -> list[Candidate]:
    """A designer's drawings of one class for one look.

    Looks take turns: look i starts at drawing 2 i (round the list), so looks show different drawings of a designer
    where there are enough, and the same ones where there are not.

    Args:
        drawings: One designer's drawings of one class.
        look_index: Number of the look.

    Returns:
        At most two drawings.
    """
    n = len(drawings)
    return [drawings[(PER_DESIGNER * look_index + i) % n] for i in range(min(n, PER_DESIGNER))]


def by_class_and_designer(drawn: Sequence[Candidate]) -> dict[str, dict[str, dict[str, list[Candidate]]]]:
    """subject -> class -> designer -> drawings."""
    tree: dict = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for d in drawn:
        tree[d.subject][d.class_name][d.designer].append(d)
    return tree
