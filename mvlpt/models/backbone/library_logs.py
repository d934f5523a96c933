"""No log records while another library, or a step of our own, would warn of what is intended."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def suppress_logging() -> Iterator[None]:
    """Discards all log records below the level of an error inside the block."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
