"""``plan.json``: a plan as a file that a person can read, write by hand, and hand to the scheduler.

It holds ``format``, ``version``, ``facts`` (the plan's metadata) and ``jobs``, a list. A job written by hand needs
only a ``name`` and a ``command``: the command is a list of words, or a string for ``sh -c``; ``needs`` may name jobs
by name or by id; an id that is not given is derived from name, command and needs. A job's ``facts`` are its labels.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from mvlpt.errors import PlanError, suggest
from mvlpt.io import atomic_write, check_head, json_text, listed, read_json, short_repr
from mvlpt.schedule.jobs import KINDS, Job, Plan, job_id
from mvlpt.schedule.moved import relocated

FILE = "plan.json"
FORMAT, VERSION = "mvlpt-plan", 1
LARGEST_AMOUNT = 1e15  # seconds or MiB
LARGEST = 512 * 2**20  # bytes; a plan of a million jobs is smaller
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LABELS = "facts"  # what the file calls the labels of a job and the metadata of a plan
_KEYS = tuple(_LABELS if field.name == "labels" else field.name for field in dataclasses.fields(Job))
_STRING_LISTS = ("needs", "inputs", "outputs")


def save_plan(plan: Plan, path: str | os.PathLike[str]) -> None:
    """Writes a plan, one job a line, in an order in which each comes after those it needs."""
    head = {"format": FORMAT, "version": VERSION, _LABELS: plan.metadata}
    lines = [json_text(_record(job)) for job in plan]
    with atomic_write(path) as handle:
        handle.write(json_text(head, indent=1)[:-2])  # without the closing brace
        handle.write(',\n "jobs": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n" if lines else ',\n "jobs": []\n}\n')


def load_plan(path: str | os.PathLike[str]) -> Plan:
    """Reads a plan and checks all of it.

    Commands that name the folder in which the plan was made name the one in which it lies now.

    Raises:
        PlanError: missing, not a plan of a known version, or with jobs that cannot be used; everything that is wrong
            with single jobs is reported together.
    """
    missing = f"No plan at {path}; make one with `mvlpt schedule plan` or `mvlpt experiment`"
    content = read_json(
        path, error=PlanError, largest=LARGEST, missing=missing, remedy="name a plan.json, or plan again"
    )
    check_head(content, path, "a plan", format=FORMAT, version=VERSION, error=PlanError, remedy="plan again")
    rows, metadata = content.get("jobs"), content.get(_LABELS, {})
    if not isinstance(rows, list) or not isinstance(metadata, dict):
        raise PlanError(f"{path}: jobs must be a list and facts a mapping; plan again, or correct the file")
    problems = [problem for number, row in enumerate(rows, start=1) for problem in _problems(row, number)]
    unknown = sorted(content.keys() - {"format", "version", _LABELS, "jobs"})
    problems += [f"unknown key '{key}'{suggest(key, ('facts', 'jobs'))}" for key in unknown]
    if problems:
        raise PlanError(f"{path} cannot be used: {listed(problems, 10, '; ')}")
    try:
        return relocated(Plan(_jobs(rows), metadata), Path(path).parent)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from None


def _record(job: Job) -> dict[str, Any]:
    """A job as JSON, without what is empty."""
    record = {key: getattr(job, key) for key in _KEYS if key != _LABELS}
    record["seconds"], record["memory_mb"] = round(job.seconds, 3), round(job.memory_mb, 1)
    record[_LABELS] = dict(job.labels)
    return {key: value for key, value in record.items() if value or key in ("seconds", "memory_mb")}


def _problems(row: Any, number: int) -> list[str]:
    """What is wrong with one job, by itself."""
    if not isinstance(row, Mapping) or not isinstance(row.get("name"), str) or not row["name"]:
        return [f"job {number} of the list has no name"]
    problems = []
    for key in sorted(row.keys() - set(_KEYS)):
        problems.append(f"unknown key '{key}'{suggest(key, _KEYS)}")
    if not inside(row["name"]):
        problems.append("its name leads out of the folder; it is also the job's folder below the plan's")
    if "id" in row and not (isinstance(row["id"], str) and _ID.fullmatch(row["id"])):
        problems.append(f"id is {short_repr(row['id'], 100)}; take up to 64 letters, digits, '.', '_' and '-'")
    if row.get("kind", "command") not in KINDS:
        problems.append(f"kind is {short_repr(row['kind'], 100)}{suggest(str(row['kind']), KINDS)}")
    command = row.get("command")
    if not (isinstance(command, str) and command.strip()) and not (command and _are_strings(command)):
        problems.append(f"command is {short_repr(command, 100)}; give a list of words, or a string for the shell")
    for key in _STRING_LISTS:
        if not _are_strings(row.get(key, [])):
            problems.append(f"{key} is {short_repr(row[key], 100)}; give a list of strings")
        elif key != "needs":
            problems += [
                f"{key} names '{path}', which leads out of the folder" for path in row.get(key, []) if not inside(path)
            ]
    for key in ("seconds", "memory_mb"):
        if not _is_amount(row.get(key, 0.0)):
            problems.append(f"{key} is {short_repr(row[key], 100)}; give a number of at least 0")
    if not isinstance(row.get(_LABELS, {}), Mapping):
        problems.append(f"facts is {short_repr(row[_LABELS], 100)}; give a mapping")
    return [f"job '{row['name'][:100]}': {problem}" for problem in problems]


def _are_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _is_amount(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 <= value <= LARGEST_AMOUNT


def inside(path: str) -> bool:
    """Whether a relative path stays in its folder."""
    parts = PurePosixPath(path)
    return bool(parts.parts) and not parts.is_absolute() and ".." not in parts.parts and "\0" not in path


def _jobs(rows: Sequence[Mapping[str, Any]]) -> list[Job]:
    """Jobs of checked rows; names in ``needs`` become ids."""
    words = [["sh", "-c", row["command"]] if isinstance(row["command"], str) else row["command"] for row in rows]
    ids = [
        row.get("id") or job_id([row["name"], command, sorted(row.get("needs", []))])
        for row, command in zip(rows, words, strict=True)
    ]
    known = set(ids)
    by_name = {row["name"]: ident for row, ident in zip(rows, ids, strict=True)}
    return [
        Job(
            id=ident,
            kind=row.get("kind", "command"),
            name=row["name"],
            command=tuple(command),
            needs=tuple(
                dict.fromkeys(need if need in known else by_name.get(need, need) for need in row.get("needs", []))
            ),
            inputs=tuple(row.get("inputs", [])),
            outputs=tuple(row.get("outputs", [])),
            seconds=float(row.get("seconds", 1.0)),
            memory_mb=float(row.get("memory_mb", 0.0)),
            labels=dict(row.get(_LABELS, {})),
        )
        for row, ident, command in zip(rows, ids, words, strict=True)
    ]
