"""What a job writes into its attempt's folder for people: its progress and its output."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from mvlpt.errors import ScheduleError
from mvlpt.io import open_regular, read_json
from mvlpt.schedule import OUTPUT, PROGRESS

TAIL = 8192  # bytes at the end of a log in which its last line is searched
LARGEST = 65536  # bytes; a progress file is far smaller
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Progress:
    """How far a job is: ``done`` of ``total`` steps, and a short description."""

    done: float
    total: float
    text: str = ""

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return min(1.0, max(0.0, self.done / self.total)) if self.total > 0 else 0.0


def read_progress(folder: Path) -> Progress | None:
    """The progress that an attempt reports; ``None`` if it reports none that can be read."""
    try:
        content = read_json(folder / PROGRESS, error=ScheduleError, largest=LARGEST)
        done, total, text = float(content["done"]), float(content["total"]), content.get("text", "")
    except (ScheduleError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    if not (math.isfinite(done) and math.isfinite(total)):
        return None
    return Progress(done, total, plain(str(text))[:200])


def last_line(folder: Path) -> str:
    """The last line that an attempt printed and that is not empty; ``""`` if there is none."""
    try:
        with open_regular(folder / OUTPUT, error=ScheduleError) as handle:
            handle.seek(0, os.SEEK_END)
            handle.seek(max(0, handle.tell() - TAIL))
            lines = handle.read(TAIL).decode("utf-8", "replace").splitlines()
    except ScheduleError:
        return ""
    return next((text for line in reversed(lines) if (text := plain(line).strip())), "")


def plain(text: str) -> str:
    """Without control codes, so that what a job printed cannot move the cursor or colour the screen."""
    return _CONTROL.sub("", text).replace("\n", " ").replace("\t", " ")
