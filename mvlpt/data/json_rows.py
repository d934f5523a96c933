"""JSON files with one list entry a line, for people to read and compare; written beside data that may be read-only."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvlpt.errors import DataError
from mvlpt.io import json_text, write_file

logger = logging.getLogger(__name__)


def write_if_possible(path: Path, text: str) -> bool:
    """Writes a file atomically and returns whether that was possible; if not, a warning is logged."""
    try:
        write_file(path, text, error=DataError, remedy="the run continues without it")
    except DataError as error:
        logger.warning("%s", error)
        return False
    return True


def format_json_rows(content: Mapping[str, Any]) -> str:
    """JSON with one entry of each list a line: readable, and with small diffs."""
    parts = []
    for key, value in content.items():
        if isinstance(value, list) and value:
            rows = ",\n  ".join(json_text(row) for row in value)
            parts.append(f" {json.dumps(key)}: [\n  {rows}\n ]")
        else:
            parts.append(f" {json.dumps(key)}: {json_text(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
