"""Features of a frozen backbone, computed once and reused by every run on the same views.

Shapes: V views, N images, B batch, D width, K classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mvlpt.data.datum import Datum, labels_of
from mvlpt.data.images.archives import file_stamp, split_impath
from mvlpt.data.loading.batches import EpochBatchSampler
from mvlpt.data.loading.cache import ByteLRU
from mvlpt.data.loading.items import Items
from mvlpt.data.loading.loader import EpochLoader
from mvlpt.data.sampling.epoch_samplers import SequentialSampler
from mvlpt.errors import DataError


@dataclass(frozen=True)
class FeatureBank:
    """Features of some images.

    Attributes:
        features: (V, N, D), of any dtype and on any device.
        missing: paths of unreadable images, by index; their features are zeros.
    """

    features: Tensor
    missing: Mapping[int, str] = field(default_factory=dict)

    @property
    def num_views(self) -> int:
        return self.features.shape[0]

    @property
    def num_bytes(self) -> int:
        return self.features.numel() * self.features.element_size()

    def __len__(self) -> int:
        return self.features.shape[1]

    def rows(self, views: Sequence[int] | Tensor, indices: Tensor) -> Tensor:
        """(B, D): view ``views[b]``, modulo the number of views, of image ``indices[b]``."""
        device = self.features.device
        if self.num_views == 1:
            return self.features[0].index_select(0, indices.to(device))
        views = torch.as_tensor(views) % self.num_views
        return self.features[views.to(device), indices.to(device)]

    def select(self, indices: Sequence[int]) -> FeatureBank:
        """The features of some of the images, in the order given; an image may come several times."""
        missing = {new: self.missing[old] for new, old in enumerate(indices) if old in self.missing}
        return FeatureBank(self.features[:, torch.as_tensor(indices, device=self.features.device)], missing)

    def to(self, device: torch.device | str) -> FeatureBank:
        """The same features on another device."""
        return FeatureBank(self.features.to(device), self.missing)

    @staticmethod
    def join(banks: Sequence[FeatureBank]) -> FeatureBank:
        """The banks of several tasks as one, in the order in which the tasks' items are merged."""
        missing: dict[int, str] = {}
        start = 0
        for bank in banks:
            missing.update({start + position: impath for position, impath in bank.missing.items()})
            start += len(bank)
        return FeatureBank(torch.cat([bank.features for bank in banks], dim=1), missing)


class FeatureCache:
    """Keeps features in memory and evicts the least recently used ones.

    Args:
        max_mb: limit in MiB; 0 keeps nothing.
    """

    def __init__(self, max_mb: float) -> None:
        self._banks: ByteLRU[FeatureBank] = ByteLRU(int(max_mb * 2**20), lambda bank: bank.num_bytes)

    @property
    def num_bytes(self) -> int:
        return self._banks.num_bytes

    def __len__(self) -> int:
        return len(self._banks)

    def get_or_build(self, key: str, build: Callable[[], FeatureBank]) -> FeatureBank:
        """The bank stored under ``key``; if there is none, ``build`` computes it.

        Args:
            key: must identify everything the features depend on: backbone, transform, precision, seed, views, items.
        """
        bank = self._banks.get(key)
        if bank is None:
            bank = build()
            self._banks.put(key, bank)
        return bank

    def clear(self) -> None:
        """Frees the memory of all features."""
        self._banks.clear()


def fingerprint_items(data_source: Sequence[Datum], *, labels: bool = True) -> str:
    """SHA-256 over every item's path, labels (unless left out), and its file's or archive's size and time of change."""
    digest = hashlib.sha256()
    archives: dict[str, tuple[int, int]] = {}
    for item in data_source:
        file, entry = split_impath(item.impath)
        stamp = archives.get(file) if entry is not None else None
        if stamp is None:
            stamp = file_stamp(file)
            if entry is not None:
                archives[file] = stamp
        digest.update(repr((item.impath, labels_of(item) if labels else (), stamp)).encode())
    return digest.hexdigest()


def encode_views(
    wrapper: Any,
    encode: Callable[[Tensor], Tensor],
    *,
    views: int = 1,
    seed: int = 0,
    batch_size: int = 256,
    num_workers: int = 0,
    on_bad_image: str = "error",
    progress: Callable[[int, int], None] | None = None,
) -> FeatureBank:
    """Runs every image of a data set, in each of its views, through a frozen encoder.

    The views are those of a loader with the same seed and ``DATALOADER.VIEWS = views``, so training on the bank equals
    training on the images.

    Args:
        wrapper: a :class:`mvlpt.data.loading.wrapper.DatasetWrapper` whose transform gives tensors (3, H, W).
        encode: (B, 3, H, W) to (B, D); called without gradients.
        views: views an image.
        seed: the run's seed.
        batch_size: images at a time.
        num_workers: processes that read images.
        on_bad_image: ``error``, or ``skip`` to list unreadable images in the bank's ``missing``.
        progress: called with the number of images done and the total.

    Raises:
        DataError: there is no image, none can be read, or, with ``error``, one cannot.
    """
    if len(wrapper) == 0:
        raise DataError("There is no image to encode")
    width = None
    if any(isinstance(item.label, tuple) for item in wrapper.data_source):
        # label tuples of different sizes cannot be stacked; vectors can, and they are not used here
        width = 1 + max(max(labels_of(item), default=0) for item in wrapper.data_source)
    items = Items(wrapper, wrapper.data_source, seed=seed, num_classes=width)
    features: Tensor | None = None
    done, skipped = 0, set()
    for view in range(views):
        plan = _OneView(SequentialSampler(wrapper.data_source), batch_size, view)
        loader = EpochLoader(items, plan, num_workers=num_workers, on_bad_image=on_bad_image)
        for batch in loader:
            with torch.no_grad():
                rows = encode(batch["img"])
            if features is None:
                features = rows.new_zeros(views, len(wrapper), rows.shape[1])
            features[view, batch["index"].to(rows.device)] = rows
            done += len(rows)
            if progress is not None:
                progress(done, views * len(wrapper))
        skipped |= loader.skipped
    if features is None:
        raise DataError(f"None of the {len(wrapper)} images can be read")
    missing = {index: item.impath for index, item in enumerate(wrapper.data_source) if item.impath in skipped}
    return FeatureBank(features, missing)


class _OneView(EpochBatchSampler):
    """All images in order, in one view."""

    def __init__(self, sampler: SequentialSampler, batch_size: int, view: int) -> None:
        super().__init__(sampler, batch_size)
        self._fixed = view

    def columns(self) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
        return ((positions, [self._fixed] * len(positions)) for positions, _ in super().columns())
