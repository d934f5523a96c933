"""Random streams: one generator for each purpose, independent of whatever else was drawn before.

A stream is named by its parts, for instance ``("few-shot", task, shots, seed)``. The same parts give the same
numbers in every process, whatever the order in which streams are made; different parts give unrelated numbers.
"""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive_seed(*parts: str | int | float | bool | None) -> int:
    """A 63-bit seed that depends on every part, on their types and on their order."""
    digest = hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def python_stream(*parts: str | int | float | bool | None) -> random.Random:
    """A generator of Python's ``random`` for the stream named by ``parts``."""
    return random.Random(derive_seed(*parts))


def torch_stream(*parts: str | int | float | bool | None) -> torch.Generator:
    """A CPU ``torch.Generator`` for the stream named by ``parts``."""
    import torch  # here, so that what only shuffles lists need not load it

    return torch.Generator().manual_seed(derive_seed(*parts))
