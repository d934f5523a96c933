"""Consoles whose output is safe on a terminal, and the one on the standard error, above which log lines appear."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from mvlpt.io import clean_text


class CleanConsole(Console):
    """A console that escapes control characters in whatever it prints; rich's own colours and cursor moves stay."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"highlight": False, **options})  # the highlighter is quadratic in the length of a line

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of something, with their text escaped."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isalnum():
                yield segment
            else:
                yield Segment(clean_text(segment.text, len(segment.text) + 1, keep="\n\t"), segment.style)


@functools.cache
def stderr_console() -> Console:
    """The console on the standard error, made at the first call."""
    return CleanConsole(stderr=True)


def bars_shown() -> bool:
    """Whether somebody sees progress bars: a terminal, or a notebook with ipywidgets, which rich draws them with."""
    if stderr_console().is_jupyter:
        return importlib.util.find_spec("ipywidgets") is not None
    return sys.stderr.isatty()
