"""Which split a table shows: test scores or validation scores, never both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mvlpt.engine import TEST_SPLITS
from mvlpt.errors import ConfigError
from mvlpt.report.results.method import Method

VALIDATION = "val"


def one_split(
    rows: Sequence[Mapping[str, Any]], chosen: Sequence[str] = ()
) -> tuple[list[Mapping[str, Any]], tuple[Method, ...]]:
    """The test scores among some rows; where there are none, or on request, the validation scores.

    Args:
        rows: lines of ``results.jsonl``.
        chosen: the splits that were asked for; empty for the rule above.

    Returns:
        The rows, and the methods that have validation scores only and are left out beside test scores.

    Raises:
        ConfigError: validation and test scores were asked for together.
    """
    if VALIDATION in chosen and len(set(chosen)) > 1:
        raise ConfigError("Validation and test scores do not compare; give --split val by itself")
    tested = [row for row in rows if row["split"] in TEST_SPLITS]
    validated = [row for row in rows if row["split"] == VALIDATION]
    if not tested or VALIDATION in chosen:
        return validated, ()
    left_out = {Method.of(row) for row in validated} - {Method.of(row) for row in tested}
    return tested, tuple(sorted(left_out, key=lambda method: method.order))
