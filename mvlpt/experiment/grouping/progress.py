"""Progress of the stages that take long, for whoever wants to show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

# Given what is counted, a context in which a function is called with (done, total).
ProgressBars = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]


@contextmanager
def no_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows nothing; :func:`mvlpt.runtime.progress.counting` draws bars on a terminal."""
    yield lambda done, total: None
