"""A tuned prompt or a run as a classifier: loading it, and what it says of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.inference.classifier import BATCH_SIZE, WORKERS, Classifier, Scored
    from mvlpt.inference.inputs import each_image, images_in
    from mvlpt.inference.loading import load, trained_tasks
    from mvlpt.inference.preprocessing import Preprocessing
    from mvlpt.inference.sources import Source, find_source

_HOMES = {
    "classifier": ("BATCH_SIZE", "WORKERS", "Classifier", "Scored"),
    "inputs": ("each_image", "images_in"),
    "loading": ("load", "trained_tasks"),
    "preprocessing": ("Preprocessing",),
    "sources": ("Source", "find_source"),
}

__all__ = [
    "BATCH_SIZE",
    "WORKERS",
    "Classifier",
    "Preprocessing",
    "Scored",
    "Source",
    "each_image",
    "find_source",
    "images_in",
    "load",
    "trained_tasks",
]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
