"""Events of an experiment: what a caller is notified of, so that the library itself prints and draws nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mvlpt.experiment.grouping.groups import GroupingResult


@dataclass(frozen=True)
class Event:
    """Something that happened."""


@dataclass(frozen=True)
class Note(Event):
    """A line for people.

    Attributes:
        text: the line.
    """

    text: str


@dataclass(frozen=True)
class GroupsFound(Event):
    """Tasks have been grouped, and the files are written.

    Attributes:
        result: the groups and the graph.
        folder: of the files.
    """

    result: GroupingResult
    folder: Path
