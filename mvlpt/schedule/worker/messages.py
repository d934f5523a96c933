"""Attempts and results as JSON lines, as the local executor and its workers send them to each other."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvlpt.schedule.attempts import Attempt, AttemptResult
from mvlpt.schedule.jobs import Job


def encode(message: Mapping[str, Any]) -> bytes:
    """One line."""
    return json.dumps(message).encode() + b"\n"


def attempt_record(attempt: Attempt) -> dict[str, Any]:
    """An attempt as plain values."""
    record = {field.name: getattr(attempt, field.name) for field in dataclasses.fields(attempt)}
    record["job"] = {field.name: getattr(attempt.job, field.name) for field in dataclasses.fields(attempt.job)}
    record["job"]["labels"] = {}  # for tables; may be long
    for name in ("folder", "root", "cwd"):
        record[name] = None if record[name] is None else str(record[name])
    return {**record, "environment": dict(attempt.environment)}


def attempt_of(record: Mapping[str, Any]) -> Attempt:
    """The attempt that :func:`attempt_record` described."""
    job = {key: tuple(value) if isinstance(value, list) else value for key, value in record["job"].items()}
    paths = {name: None if record[name] is None else Path(record[name]) for name in ("folder", "root", "cwd")}
    return Attempt(**{**record, **paths, "job": Job(**job), "command": tuple(record["command"])})


def result_of(record: Mapping[str, Any]) -> AttemptResult:
    """The result whose fields a worker sent."""
    return AttemptResult(**{field.name: record[field.name] for field in dataclasses.fields(AttemptResult)})
