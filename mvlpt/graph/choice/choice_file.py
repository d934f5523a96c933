"""``choice.json``: candidates, their estimates, and what was chosen for each task and why."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mvlpt.errors import GraphError, RunFolderError, suggest
from mvlpt.graph.choice.candidates import Candidate, PromptSource, check_candidates
from mvlpt.graph.choice.rule import TaskChoice
from mvlpt.io import read_json, short_repr, write_json

FORMAT, VERSION = "mvlpt-choice", 1


@dataclass(frozen=True)
class Choice:
    """A choice with what it rests on.

    Attributes:
        tasks: T names.
        candidates: C ways to serve them.
        scores: (C, T) points; NaN where not measured.
        errors: (C, T) standard errors.
        choices: one for each task, in order.
        settings: everything else it depends on, plain values only.
    """

    tasks: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    scores: np.ndarray
    errors: np.ndarray
    choices: tuple[TaskChoice, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


def write_choice(choice: Choice, path: str | Path) -> None:
    """Writes a choice; the file appears whole."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "tasks": list(choice.tasks),
        "settings": dict(choice.settings),
        "choices": {one.task: _choice_entry(one) for one in choice.choices},
        "candidates": {
            candidate.name: {
                "arm": candidate.arm,
                "adapted": candidate.adapted,
                "groups": [list(group) for group in candidate.groups],
                "scores": _row(choice.tasks, choice.scores[row]),
                "errors": _row(choice.tasks, choice.errors[row]),
            }
            for row, candidate in enumerate(choice.candidates)
        },
    }
    json.dumps(content, allow_nan=False)  # settings are the caller's
    write_json(content, Path(path))


def read_choice(path: str | Path, tasks: Sequence[str] | None = None) -> Choice:
    """Reads a choice.

    Args:
        path: of the file.
        tasks: the tasks that it must be about, in any order; ``None`` for any.

    Raises:
        GraphError: the file is missing, damaged or of another format, or about other tasks.
    """
    if not Path(path).exists():
        raise GraphError(
            f"There is no choice at {path}; mvlpt group --choose writes it, unless the groups beside it were edited by "
            "hand: then delete those first"
        )
    try:
        content = read_json(Path(path), constants=False)
    except RunFolderError as error:
        raise GraphError(f"{error}, or delete it and choose again") from error
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise GraphError(f"{path} is not a choice file ('format: {FORMAT}'); name the choice.json of a chooser")
    if content.get("version") != VERSION:
        raise GraphError(
            f"{path} has version {short_repr(content.get('version'), 60)}; this program reads version {VERSION}; "
            "delete it, and choose again"
        )
    try:
        choice = _parsed(content)
    except GraphError as error:
        raise GraphError(f"{path}: {error}; correct the file, or delete it and choose again") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise GraphError(f"{path} is damaged ({type(error).__name__}: {error}); delete it, and choose again") from error
    if tasks is not None:
        _check_tasks(path, choice.tasks, tasks)
    return choice


def _parsed(content: Mapping[str, Any]) -> Choice:
    tasks = tuple(content["tasks"])
    candidates, scores, errors = [], [], []
    for name, entry in content["candidates"].items():
        groups = tuple(map(tuple, entry["groups"]))
        candidates.append(Candidate(name, groups, bool(entry["adapted"])))
        for rows, key in ((scores, "scores"), (errors, "errors")):
            rows.append([math.nan if entry[key][task] is None else float(entry[key][task]) for task in tasks])
    check_candidates(candidates, tasks)
    named = {candidate.name: candidate for candidate in candidates}
    choices = []
    for task in tasks:
        entry = dict(content["choices"][task])
        if entry["candidate"] not in named:
            raise GraphError(
                f"task '{task}' has the unknown candidate '{entry['candidate']}'{suggest(entry['candidate'], named)}"
            )
        source = named[entry["candidate"]].source_of(task)
        entry |= {key: float(entry[key]) for key in ("behind", "error", "gain", "gain_error")}
        entry |= {key: _string(entry[key]) for key in ("candidate", "best", "reason")}
        choices.append(TaskChoice(**{**entry, "task": task, "source": source}))
    return Choice(
        tasks, tuple(candidates), np.array(scores), np.array(errors), tuple(choices), dict(content.get("settings", {}))
    )


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{short_repr(value, 60)} is not a string")
    return value


def _check_tasks(path: str | Path, found: Sequence[str], wanted: Sequence[str]) -> None:
    extra = next((task for task in found if task not in wanted), None)
    if extra is not None:
        raise GraphError(f"{path} is about other tasks: '{extra}' is not among yours{suggest(extra, wanted)}")
    missing = next((task for task in wanted if task not in found), None)
    if missing is not None:
        raise GraphError(f"{path} is about other tasks: it leaves out '{missing}'; delete it, and choose again")


def _choice_entry(choice: TaskChoice) -> dict[str, Any]:
    entry = asdict(choice)
    source: PromptSource = choice.source
    return {**entry, "source": {"tasks": list(source.tasks), "adapted": source.adapted}}


def _row(tasks: Sequence[str], values: np.ndarray) -> dict[str, float | None]:
    return {task: None if np.isnan(value) else float(value) for task, value in zip(tasks, values, strict=True)}
