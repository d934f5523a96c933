"""Frozen CLIP models: names, weights, loading. Names are known without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.models.backbone.backbone import Backbone, fingerprint_state
    from mvlpt.models.backbone.library_logs import suppress_logging
    from mvlpt.models.backbone.loading import load_backbone
    from mvlpt.models.backbone.local_config import read_local_config
    from mvlpt.models.backbone.names import (
        COOP_NAMES,
        EMBEDDED,
        LOCAL_DIR,
        embedded_folder,
        known_architecture,
        resolve_name,
    )
    from mvlpt.models.backbone.preprocessing import BackboneImages, backbone_images
    from mvlpt.models.backbone.presence import missing_weights

_HOMES = {
    "backbone": ("Backbone", "fingerprint_state"),
    "loading": ("load_backbone",),
    "local_config": ("read_local_config",),
    "names": ("COOP_NAMES", "EMBEDDED", "LOCAL_DIR", "embedded_folder", "known_architecture", "resolve_name"),
    "presence": ("missing_weights",),
    "preprocessing": ("BackboneImages", "backbone_images"),
    "library_logs": ("suppress_logging",),
}

__all__ = [
    "COOP_NAMES",
    "EMBEDDED",
    "LOCAL_DIR",
    "Backbone",
    "BackboneImages",
    "backbone_images",
    "embedded_folder",
    "fingerprint_state",
    "known_architecture",
    "load_backbone",
    "missing_weights",
    "read_local_config",
    "resolve_name",
    "suppress_logging",
]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
