"""The data of a run: items, data sets, few-shot samples, transforms, samplers, loaders. Module names are Dassl's.

The names are imported when they are first used, so that a tool which only reads a table does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.data.data_manager import DataManager, build_data_loader
    from mvlpt.data.datasets import DATASET_REGISTRY, DatasetBase, build_dataset
    from mvlpt.data.datum import Datum
    from mvlpt.data.loading.images import read_image
    from mvlpt.data.loading.loader import EpochLoader
    from mvlpt.data.loading.transforms import INTERPOLATION_MODES, build_transform
    from mvlpt.data.loading.wrapper import DatasetWrapper
    from mvlpt.data.sampling.samplers import build_sampler
    from mvlpt.data.tasks import MultiTaskDataset, SplitSizes, TaskInfo

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

__getattr__ = lazy_exports(
    __name__,
    {
        "DATASET_REGISTRY": "datasets",
        "DatasetBase": "datasets",
        "build_dataset": "datasets",
        "DataManager": "data_manager",
        "build_data_loader": "data_manager",
        "Datum": "datum",
        "read_image": "loading.images",
        "EpochLoader": "loading.loader",
        "build_sampler": "sampling.samplers",
        "MultiTaskDataset": "tasks",
        "SplitSizes": "tasks",
        "TaskInfo": "tasks",
        "INTERPOLATION_MODES": "loading.transforms",
        "build_transform": "loading.transforms",
        "DatasetWrapper": "loading.wrapper",
    },
)
