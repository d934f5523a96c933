"""Training, grouping and experiments from Python; what ``import mvlpt`` offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.api.configuration import resolve_config

__all__ = ["resolve_config"]

__getattr__ = lazy_exports(__name__, {"resolve_config": "configuration"})
