"""Options chosen by cross-validation on training images, or on validation images; never on test images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.experiment.search.choosing import ensure_options, preview_options
    from mvlpt.experiment.search.search_file import Search, SearchCandidate, read_search
    from mvlpt.experiment.search.space import searches

_HOMES = {
    "choosing": ("ensure_options", "preview_options"),
    "search_file": ("Search", "SearchCandidate", "read_search"),
    "space": ("searches",),
}

__all__ = ["Search", "SearchCandidate", "ensure_options", "preview_options", "read_search", "searches"]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
