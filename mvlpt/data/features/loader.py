"""Batches of cached features, in the order and with the labels of the image loader they replace.

Shapes: B batch, D width, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Subset

from mvlpt.data.datum import Datum, labels_of
from mvlpt.data.features.cache import FeatureBank, FeatureCache, encode_views, fingerprint_items
from mvlpt.data.features.files import read_or_build
from mvlpt.data.loading.loader import EpochLoader, ItemLoader
from mvlpt.data.loading.transforms import transform_of
from mvlpt.data.loading.wrapper import transparency_of
from mvlpt.data.sampling.epoch_samplers import by_domain
from mvlpt.errors import ConfigError, DataError

AHEAD = 64  # batches whose labels are looked up at once


class FeatureLoader(ItemLoader):
    """Gives the batches of an image loader, with ``feature`` (B, D) instead of ``img``, without reading images.

    The two share one epoch counter: ``set_epoch`` on one, or iterating it, advances the other.

    Args:
        bank: features of all items.
        loader: the loader it replaces; order, views, labels and tasks stay the same.

    Raises:
        DataError: the bank and the loader have different numbers of images.

    Attributes:
        skipped: paths of unreadable images, which are left out.
    """

    def __init__(self, bank: FeatureBank, loader: EpochLoader) -> None:
        items = loader.items
        if len(bank) != len(items):
            raise DataError(f"The feature bank holds {len(bank)} images, but the loader has {len(items)}")
        self.bank = bank
        self.batch_sampler = loader.batch_sampler
        self.items = items
        self.skipped = set(bank.missing.values())
        source = items.data_source
        self._domain = torch.tensor([item.domain for item in source])
        self._task = self._domain if items.multi_task else torch.zeros_like(self._domain)
        self._label = torch.tensor([item.label for item in source]) if items.num_classes is None else None
        self._impath = [item.impath for item in source]

    @property
    def tasks(self) -> Tensor:
        """(N,) the task of every image."""
        return self._task

    @property
    def multi_label(self) -> bool:
        """Whether labels are rows of classes, since a task has several for an image."""
        return self._label is None

    def label_rows(self, classes: int) -> Tensor:
        """(N, classes), 1 for every label of every image."""
        rows = torch.zeros(len(self.data_source), classes)
        for row, item in enumerate(self.data_source):
            rows[row, list(labels_of(item))] = 1.0
        return rows

    def close(self) -> None:
        """Does nothing: there are no workers."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        plan = self.batch_sampler.columns()
        self.batch_sampler.set_epoch(self.batch_sampler.epoch + 1)
        return self._batches(plan)

    def _batches(self, plan: Iterator[tuple[Sequence[int], Sequence[int]]]) -> Iterator[dict[str, Any]]:
        """The batches; what is small of many of them is looked up at once."""
        while batches := list(islice(plan, AHEAD)):
            if self.bank.missing:
                batches = [batch for batch in map(self._readable, batches) if batch[0]]
            index = torch.from_numpy(np.fromiter(chain.from_iterable(batch for batch, _ in batches), np.int64))
            found = [index, self._domain[index], self._task[index]]
            found += [] if self._label is None else [self._label[index]]
            sizes = [len(batch) for batch, _ in batches]
            parts = zip(*(column.split(sizes) for column in found), strict=True)
            for (positions, views), (index, domain, task, *label) in zip(batches, parts, strict=True):
                yield {
                    "feature": self.bank.rows(views, index),
                    "label": label[0] if label else self._label_rows(positions),
                    "domain": domain,
                    "task": task,
                    "impath": [self._impath[position] for position in positions],
                    "index": index,
                }

    def _readable(self, batch: tuple[Sequence[int], Sequence[int]]) -> tuple[list[int], list[int]]:
        """The batch without images that cannot be read."""
        kept = [key for key in zip(*batch, strict=True) if key[0] not in self.bank.missing]
        return [position for position, _ in kept], [view for _, view in kept]

    def _label_rows(self, positions: Sequence[int]) -> Tensor:
        """(B, K), 1 for every label of each image."""
        labels = torch.zeros(len(positions), self.items.num_classes)
        for row, position in enumerate(positions):
            labels[row, list(labels_of(self.data_source[position]))] = 1.0
        return labels


def build_feature_loader(
    loader: EpochLoader,
    encode: Callable[[Tensor], Tensor],
    *,
    cache: FeatureCache,
    key: str,
    transform: Any = None,
    random_views: bool,
    batch_size: int = 256,
    num_workers: int = 0,
    folder: str = "",
    width: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FeatureLoader:
    """Replaces a loader of images by one of features, encoding only images that are not in the cache.

    Features are stored task by task, so runs on other groups of the same tasks reuse them.

    Args:
        loader: a loader of images.
        encode: (B, 3, H, W) to (B, D), frozen; called without gradients.
        cache: the cache in memory.
        key: identifies backbone and precision.
        transform: the loader's transform, part of the key of each task.
        random_views: the loader's transform is random. Then it must have a fixed number of views.
        folder: where features are stored on disk as well; ``""`` for nowhere.
        width: D, which features on disk must have; ``None`` for any.
        batch_size, num_workers, progress: see :func:`mvlpt.data.features.cache.encode_views`; progress counts per task.

    Raises:
        ConfigError: the views are random and different in every epoch.
    """
    views = loader.batch_sampler.views
    if random_views and views == 0:
        raise ConfigError(
            "Features cannot be cached when every epoch draws new views; set DATALOADER.VIEWS to a number above 0"
        )
    views = views if random_views and views else 1
    seed = loader.items.seed if random_views else 0
    source = loader.data_source
    options = {"batch_size": batch_size, "num_workers": num_workers, "on_bad_image": loader.on_bad_image}
    banks, order = [], []
    for domain, positions in sorted(by_domain(source).items()):
        part = _Part(loader.dataset, source, positions)
        view = f"{transform_of(transform, domain)}|{views}|{seed}"
        view += "|on white" if transparency_of(loader.dataset, domain) == "white" else ""
        name = f"{key}|{view}|{loader.on_bad_image}|{fingerprint_items(part.data_source, labels=False)}"
        build = partial(encode_views, part, encode, views=views, seed=seed, progress=progress, **options)
        if folder:
            build = partial(read_or_build, folder, name, build, (views, len(part), width))
        banks.append(cache.get_or_build(name, build))
        order += positions
    bank = FeatureBank.join(banks)
    if order != list(range(len(source))):  # the tasks are interleaved
        back = torch.argsort(torch.tensor(order)).to(bank.features.device)
        missing = {order[index]: impath for index, impath in bank.missing.items()}
        bank = FeatureBank(bank.features[:, back], missing)
    return FeatureLoader(bank, loader)


class _Part(Subset):
    """Some of a wrapper's items."""

    def __init__(self, wrapper: Any, source: Sequence[Datum], positions: Sequence[int]) -> None:
        super().__init__(wrapper, positions)
        self.data_source = [source[position] for position in positions]
