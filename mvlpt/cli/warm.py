"""Commands of ``mvlpt`` run one after the other in one process, which keeps backbones and image features loaded."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mvlpt import cli

if TYPE_CHECKING:
    from mvlpt.engine import Resources

_resources: Resources | None = None  # of this process


def run_warm(arguments: Sequence[str]) -> int:
    """Runs ``mvlpt ARGUMENTS`` as :func:`mvlpt.cli.main` does, with what earlier calls in this process have loaded.

    The threads that ``RUN.THREADS`` sets are put back afterwards.

    Args:
        arguments: the words after ``mvlpt``.

    Returns:
        The exit status.
    """
    global _resources
    from mvlpt.engine import Resources, shared_resources
    from mvlpt.runtime import threads_kept

    first = _resources is None
    if _resources is None:
        _resources = Resources()
    try:
        with shared_resources(_resources), threads_kept():
            return cli.main(list(arguments)) or 0
    finally:
        if first:  # libraries and backbones stay: without this, looking through them takes 0.1 s after every job
            gc.collect()
            gc.freeze()
