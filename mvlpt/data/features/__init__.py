"""Features of a frozen image encoder: computed once, kept in memory and on disk, and loaded as batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.data.features.cache import FeatureBank, FeatureCache, encode_views, fingerprint_items
    from mvlpt.data.features.files import read_or_build
    from mvlpt.data.features.loader import FeatureLoader, build_feature_loader

__all__ = [
    "FeatureBank",
    "FeatureCache",
    "FeatureLoader",
    "build_feature_loader",
    "encode_views",
    "fingerprint_items",
    "read_or_build",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "FeatureBank": "cache",
        "FeatureCache": "cache",
        "FeatureLoader": "loader",
        "build_feature_loader": "loader",
        "encode_views": "cache",
        "fingerprint_items": "cache",
        "read_or_build": "files",
    },
)
