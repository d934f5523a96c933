"""Data sets: the base class, the registry, and building one by name. Module names are Dassl's."""

from mvlpt.data.datasets.base_dataset import DatasetBase
from mvlpt.data.datasets.build import DATASET_REGISTRY, build_dataset, checked_task_names
from mvlpt.data.datasets.sampled import SampledDataset
from mvlpt.data.datum import Datum

__all__ = ["DATASET_REGISTRY", "DatasetBase", "Datum", "SampledDataset", "build_dataset", "checked_task_names"]
