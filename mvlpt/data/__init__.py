"""The data of a run: items, data sets, few-shot samples, transforms, samplers, loaders. Module names are Dassl's.

The names are imported when they are first used, so that a tool which only reads a table does not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mvlpt.data.data_manager import DataManager, build_data_loader
    from mvlpt.data.datasets import DATASET_REGISTRY, DatasetBase, build_dataset
    from mvlpt.data.datum import Datum
    from mvlpt.data.images import read_image
    from mvlpt.data.loader import EpochLoader
    from mvlpt.data.samplers import build_sampler
    from mvlpt.data.tasks import MultiTaskDataset, SplitSizes, TaskInfo
    from mvlpt.data.transforms import INTERPOLATION_MODES, build_transform
    from mvlpt.data.wrapper import DatasetWrapper

__all__ = [
    "DATASET_REGISTRY",
    "INTERPOLATION_MODES",
    "DataManager",
    "DatasetBase",
    "DatasetWrapper",
    "Datum",
    "EpochLoader",
    "MultiTaskDataset",
    "SplitSizes",
    "TaskInfo",
    "build_data_loader",
    "build_dataset",
    "build_sampler",
    "build_transform",
    "read_image",
]

_HOMES = {
    "DATASET_REGISTRY": "datasets",
    "DatasetBase": "datasets",
    "build_dataset": "datasets",
    "DataManager": "data_manager",
    "build_data_loader": "data_manager",
    "Datum": "datum",
    "read_image": "images",
    "EpochLoader": "loader",
    "build_sampler": "samplers",
    "MultiTaskDataset": "tasks",
    "SplitSizes": "tasks",
    "TaskInfo": "tasks",
    "INTERPOLATION_MODES": "transforms",
    "build_transform": "transforms",
    "DatasetWrapper": "wrapper",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
