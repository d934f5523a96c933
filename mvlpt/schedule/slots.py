"""Slots: the places where jobs run."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """A place that runs one job at a time.

    Several slots may lie on one device: small jobs then share a GPU, as far as the sum of their memory estimates fits.

    Attributes:
        name: unique, such as ``gpu0.1`` or ``cpu0``.
        device: ``cpu`` or ``cuda:0``; what the slots of one device share.
        memory_mb: memory of the device, MiB, shared by its slots.
    """

    name: str
    device: str = "cpu"
    memory_mb: float = math.inf
