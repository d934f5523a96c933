"""The data of a run: data sets, few-shot samples, transforms and loaders. Module names are Dassl's.

The names are imported when they are first used, so that a tool which only reads a table does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.data.data_manager import DataManager, build_data_loader
    from mvlpt.data.datasets import DATASET_REGISTRY, DatasetBase, SampledDataset, build_dataset, checked_task_names
    from mvlpt.data.datum import Datum, labels_of
    from mvlpt.data.images import read_image
    from mvlpt.data.loading import INTERPOLATION_MODES, DatasetWrapper, EpochLoader, build_transform
    from mvlpt.data.recorded import recorded_tasks
    from mvlpt.data.sampling import build_sampler
    from mvlpt.data.split_sizes import SplitSizes
    from mvlpt.data.tasks import MultiTaskDataset, TaskInfo, check_names

__all__ = [
    "DATASET_REGISTRY",
    "INTERPOLATION_MODES",
    "DataManager",
    "DatasetBase",
    "DatasetWrapper",
    "Datum",
    "EpochLoader",
    "MultiTaskDataset",
    "SampledDataset",
    "SplitSizes",
    "TaskInfo",
    "build_data_loader",
    "build_dataset",
    "build_sampler",
    "build_transform",
    "check_names",
    "checked_task_names",
    "labels_of",
    "read_image",
    "recorded_tasks",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "DATASET_REGISTRY": "datasets",
        "DataManager": "data_manager",
        "DatasetBase": "datasets",
        "DatasetWrapper": "loading",
        "Datum": "datum",
        "EpochLoader": "loading",
        "INTERPOLATION_MODES": "loading",
        "MultiTaskDataset": "tasks",
        "SampledDataset": "datasets",
        "SplitSizes": "split_sizes",
        "TaskInfo": "tasks",
        "build_data_loader": "data_manager",
        "build_dataset": "datasets",
        "build_sampler": "sampling",
        "build_transform": "loading",
        "check_names": "tasks",
        "checked_task_names": "datasets",
        "labels_of": "datum",
        "read_image": "images",
        "recorded_tasks": "recorded",
    },
)
