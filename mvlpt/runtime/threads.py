"""How many CPU threads torch computes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def threads_kept() -> Iterator[None]:
    """Torch computes on as many CPU threads after the block as before it."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes on one CPU thread inside the block."""
    import torch

    with threads_kept():
        torch.set_num_threads(1)
        yield
