"""The former name of :mod:`mvlpt.datasets.custom`; what was here still works, and warns."""

from __future__ import annotations

import warnings
from typing import Any

from mvlpt.datasets import custom

_RENAMED = {"OwnTask": "CustomTask", "own_task": "custom_task"}


def __getattr__(name: str) -> Any:
    current = _RENAMED.get(name, name)
    if not hasattr(custom, current):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    warnings.warn(f"mvlpt.datasets.own.{name} is now mvlpt.datasets.custom.{current}", DeprecationWarning, stacklevel=2)
    return getattr(custom, current)
