"""The data of a run: items, data sets, few-shot samples, transforms, samplers, loaders. Module names are Dassl's."""

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
