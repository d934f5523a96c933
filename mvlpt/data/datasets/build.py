"""The registry of data sets and the step from a config to one of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from mvlpt.config import task_names
from mvlpt.data.datasets.base_dataset import DatasetBase
from mvlpt.data.datasets.registry import DatasetRegistry
from mvlpt.data.datasets.sampled import SampledDataset
from mvlpt.data.sampling.fewshot import stream_seed
from mvlpt.errors import ConfigError

DATASET_REGISTRY = DatasetRegistry("data set")


def checked_task_names(cfg: Any) -> list[str]:
    """The tasks of a config (``DATASET.DATASET`` "a,b,c" if it is set, else ``DATASET.NAME``), at least one.

    Raises:
        ConfigError: none is named, or one is named twice.
    """
    names = task_names(cfg)
    if not names:
        raise ConfigError("No data set is named; set DATASET.NAME, or pass --dataset NAME[,NAME...]")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(f"The data set '{repeated[0]}' is named twice; a task can be in a run only once")
    return names


def build_dataset(cfg: Any, name: str | None = None) -> Any:
    """Builds one registered data set, with Python's and NumPy's generators as in a new process with the run's seed.

    A data set of Dassl's kind that splits or samples its images then does so as in a run of CoOp on it alone, whatever
    was built before it. The generators are as before when it is built.

    Args:
        cfg: the run's config; the data set sees it with ``DATASET.NAME`` set to its own name.
        name: which one; by default the only one that ``cfg`` names.

    Raises:
        ConfigError: ``name`` is not given and ``cfg`` names several, or published samples are to replace those of a
            data set that draws its own.
        UnknownNameError: nothing is registered under the name.
    """
    if name is None:
        names = checked_task_names(cfg)
        if len(names) > 1:
            raise ConfigError(f"build_dataset builds one data set, but the config names {len(names)}: use DataManager")
        name = names[0]
    entry = DATASET_REGISTRY.get(name)
    if cfg.DATASET.get("SAMPLES", "") and not (isinstance(entry, type) and issubclass(entry, SampledDataset)):
        raise ConfigError(f"DATASET.SAMPLES names published samples, but the data set '{name}' draws its own; drop it")
    if name != cfg.DATASET.NAME:
        cfg = cfg.clone()
        cfg.defrost()
        cfg.DATASET.NAME = name
        cfg.freeze()
    with _generators_of(stream_seed(cfg.SEED)):
        if not (isinstance(entry, type) and issubclass(entry, DatasetBase)):
            return entry(cfg)
        dataset = entry.__new__(entry, cfg)
        if not entry.name:
            dataset.name = name  # before __init__, which may draw a few-shot sample from the stream of this name
        dataset._sample_stream = random
        dataset.__init__(cfg)
        dataset._sample_stream = random.Random()
        dataset._sample_stream.setstate(random.getstate())
        return dataset


@contextmanager
def _generators_of(seed: int) -> Iterator[None]:
    """Seeds Python's and NumPy's global generators inside the block."""
    before = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
