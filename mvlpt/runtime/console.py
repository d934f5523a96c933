"""The one console on the standard error, so that log lines appear above a live bar."""

from __future__ import annotations

import functools

from rich.console import Console


@functools.cache
def stderr_console() -> Console:
    """The console, made at the first call."""
    return Console(stderr=True, highlight=False)  # the highlighter is quadratic in the length of a line
