"""Drawings that may enter a task: every icon of a task designer whose file name says one of the class names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embedded import naming, raster
from embedded.packages import IconSet

Subjects = dict[str, dict[str, list[str]]]
SUBJECT_FILE = Path(__file__).with_name("subjects.json")


@dataclass(frozen=True)
class Candidate:
    """One drawing with its label.

    Attributes:
        subject: Subject the class belongs to, e.g. ``weather``.
        class_name: Label, e.g. ``cloud rain``.
        designer: Designer that decides the split.
        set_name: Icon set the drawing comes from.
        icon: File name in the set.
        alpha: (48, 48) uint8 coverage of the glyph.
    """

    subject: str
    class_name: str
    designer: str
    set_name: str
    icon: str
    alpha: np.ndarray

    @property
    def key(self) -> str:
        """Name that the audit's list uses."""
        return f"{self.set_name}:{self.icon}"


def load_subjects(path: Path = SUBJECT_FILE) -> Subjects:
    """First list of subjects: subject -> class -> file names. The pretraining corpus is cleaned of their drawings."""
    return json.loads(path.read_text())["subjects"]


def load_chosen(path: Path = SUBJECT_FILE) -> Subjects:
    """Subjects that became tasks, with the audit's changes to their classes."""
    data = json.loads(path.read_text())
    return {name: {**data["subjects"][name], **data["amendments"].get(name, {})} for name in data["chosen"]}


def collect(
    sets: Sequence[IconSet],
    subjects: Subjects,
    *,
    progress: Iterable[IconSet] | None = None,
) -> list[Candidate]:
    """Draws every task candidate.

    Args:
        sets: Icon sets of task designers.
        subjects: Subjects and classes wanted.
        progress: The same sets behind a progress bar.

    Returns:
        Candidates ordered by (subject, class, designer, set, icon).
    """
    indices = {subject: naming.class_index(classes) for subject, classes in subjects.items()}
    found = []
    for icon_set in progress if progress is not None else sets:
        pixels_of: dict[str, np.ndarray | None] = {}
        for name, icon in icon_set.icons.items():
            label, _ = naming.strip_style(name)
            for subject, index in indices.items():
                if label not in index:
                    continue
                if name not in pixels_of:
                    pixels_of[name] = raster.rasterise(icon)
                pixels = pixels_of[name]
                if pixels is None:
                    continue
                found.append(
                    Candidate(
                        subject, index[label], icon_set.package.designer, icon_set.package.name, name, pixels[..., 3]
                    )
                )
    return sorted(found, key=lambda c: (c.subject, c.class_name, c.designer, c.set_name, c.icon))
