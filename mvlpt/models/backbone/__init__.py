"""Frozen CLIP models: names, weights, loading."""

from mvlpt.models.backbone.backbone import Backbone, fingerprint_state
from mvlpt.models.backbone.loading import load_backbone
from mvlpt.models.backbone.names import COOP_NAMES, EMBEDDED, embedded_folder, known_architecture, resolve_name
from mvlpt.models.backbone.suppress_logging import suppress_logging

__all__ = [
    "COOP_NAMES",
    "EMBEDDED",
    "Backbone",
    "embedded_folder",
    "fingerprint_state",
    "known_architecture",
    "load_backbone",
    "resolve_name",
    "suppress_logging",
]
