"""``search.json``: all candidates, their scores, and what was chosen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mvlpt.errors import ConfigError
from mvlpt.io import check_head, read_json, write_json

FILE, FORMAT, VERSION = "search.json", "mvlpt-search", 1
REMEDY = "delete it, and run the experiment again"


@dataclass(frozen=True)
class SearchCandidate:
    """One combination of values, tried for a trainer in an arm.

    Attributes:
        trainer: the name of its folder.
        arm: in which it was tried.
        options: the values.
        scores: task to its score, percent, over the folds or on validation images.
        mean: over tasks.
        error: standard error of the mean, from the number of images.
        chosen: whether it is the best; of equal ones the first.
    """

    trainer: str
    arm: str
    options: Mapping[str, Any]
    scores: Mapping[str, float]
    mean: float
    error: float
    chosen: bool = False


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        candidates: those of each trainer and arm in the order in which they were tried.
        settings: method, images, folds, shots and seed.
        inputs: a hash of what the search depends on.
    """

    candidates: tuple[SearchCandidate, ...]
    settings: Mapping[str, Any]
    inputs: str

    def choices(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """(trainer's folder, arm) to the values chosen."""
        return {(one.trainer, one.arm): one.options for one in self.candidates if one.chosen}


def write_search(search: Search, folder: str | os.PathLike[str]) -> Path:
    """Writes ``search.json`` into an experiment's folder; returns the file."""
    path = Path(folder) / FILE
    content = {"format": FORMAT, "version": VERSION, "inputs": search.inputs, "settings": dict(search.settings)}
    write_json({**content, "candidates": [asdict(one) for one in search.candidates]}, path)
    return path


def read_search(folder: str | os.PathLike[str]) -> Search | None:
    """The search of an experiment's folder; ``None`` where there is none.

    Raises:
        ConfigError: the file is damaged.
    """
    path = Path(folder) / FILE
    if not path.exists():
        return None
    content = read_json(path, error=ConfigError, remedy=REMEDY)
    head = check_head(
        content, path, "a search for options", format=FORMAT, version=VERSION, error=ConfigError, remedy=REMEDY
    )
    try:
        candidates = tuple(_candidate(row) for row in head["candidates"])
        return Search(candidates, dict(head["settings"]), str(head["inputs"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{path} is damaged ({type(error).__name__}: {error}); {REMEDY}") from error


def _candidate(row: Mapping[str, Any]) -> SearchCandidate:
    return SearchCandidate(
        trainer=str(row["trainer"]),
        arm=str(row["arm"]),
        options=dict(row["options"]),
        scores={str(task): float(score) for task, score in row["scores"].items()},
        mean=float(row["mean"]),
        error=float(row["error"]),
        chosen=bool(row["chosen"]),
    )
