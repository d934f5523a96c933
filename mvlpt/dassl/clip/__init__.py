"""OpenAI's ``clip`` over open_clip, for plugins that bring none, and weights for those that do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.dassl.clip.shim import clip_modules
    from mvlpt.dassl.clip.weights import supply_weights

__all__ = ["clip_modules", "supply_weights"]

__getattr__ = lazy_exports(__name__, {"clip_modules": "shim", "supply_weights": "weights"})
