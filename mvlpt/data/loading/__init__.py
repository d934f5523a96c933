"""From items to batches: views of an image, caches shared by worker processes, and the loader of an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.data.loading.batches import EpochBatchSampler, TaskBatchSampler
    from mvlpt.data.loading.cache import ByteLRU
    from mvlpt.data.loading.items import Items, ViewIndex, collate
    from mvlpt.data.loading.loader import EpochLoader, close_loaders
    from mvlpt.data.loading.pixels import PixelPlan
    from mvlpt.data.loading.transforms import (
        AVAI_CHOICES,
        INTERPOLATION_MODES,
        Cutout,
        Pipeline,
        TaskPipelines,
        build_test_transform,
        build_transform,
        is_random,
        transform_of,
    )
    from mvlpt.data.loading.view_crops import random_views
    from mvlpt.data.loading.workers import deaths_explained
    from mvlpt.data.loading.wrapper import DatasetWrapper

__all__ = [
    "AVAI_CHOICES",
    "INTERPOLATION_MODES",
    "ByteLRU",
    "Cutout",
    "DatasetWrapper",
    "EpochBatchSampler",
    "EpochLoader",
    "Items",
    "Pipeline",
    "PixelPlan",
    "TaskBatchSampler",
    "TaskPipelines",
    "ViewIndex",
    "build_test_transform",
    "build_transform",
    "close_loaders",
    "collate",
    "deaths_explained",
    "is_random",
    "random_views",
    "transform_of",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "AVAI_CHOICES": "transforms",
        "ByteLRU": "cache",
        "Cutout": "transforms",
        "DatasetWrapper": "wrapper",
        "EpochBatchSampler": "batches",
        "EpochLoader": "loader",
        "close_loaders": "loader",
        "INTERPOLATION_MODES": "transforms",
        "Items": "items",
        "Pipeline": "transforms",
        "PixelPlan": "pixels",
        "TaskBatchSampler": "batches",
        "TaskPipelines": "transforms",
        "ViewIndex": "items",
        "build_test_transform": "transforms",
        "build_transform": "transforms",
        "collate": "items",
        "deaths_explained": "workers",
        "is_random": "transforms",
        "random_views": "view_crops",
        "transform_of": "transforms",
    },
)
