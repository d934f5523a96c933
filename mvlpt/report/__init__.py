"""Results for people: tables now; figures and pages join them here.

The names are imported when they are first used, so that a tool which only handles files does not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mvlpt.report.summary import Cell, summarise

__all__ = ["Cell", "summarise"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.summary"), name)
