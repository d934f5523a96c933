"""The loader of batches: any epoch can be chosen, entered in the middle and repeated, and no worker outlives it."""

from __future__ import annotations

import functools
import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from mvlpt.data.datum import Datum
from mvlpt.data.loading.batch_memory import BatchMemory
from mvlpt.data.loading.batches import EpochBatchSampler
from mvlpt.data.loading.items import Batch, Items, ViewIndex, collate
from mvlpt.data.loading.workers import check_open_files, deaths_explained, remember_workers, worker_numbers_checked
from mvlpt.errors import ConfigError, DataError, LoaderWorkerError, suggest

logger = logging.getLogger(__name__)

ON_BAD_IMAGE = ("error", "skip")
PREFETCH = 2  # batches that a worker prepares in advance
HELD = 2  # batches that the training loop references: the current one, and the next before the current is dropped


class ItemLoader:
    """Gives items in the batches of an epoch plan; :class:`EpochLoader` with their images, or others in its place.

    Attributes:
        items: the data set with seeded views.
        batch_sampler: the plan of each epoch.
    """

    items: Items
    batch_sampler: EpochBatchSampler

    @property
    def dataset(self) -> Dataset:
        """The wrapped data set, with its ``data_source`` where it has one."""
        return self.items.wrapper

    @property
    def data_source(self) -> Sequence[Datum]:
        return self.items.data_source

    @property
    def batch_size(self) -> int:
        return self.batch_sampler.batch_size

    @property
    def sampler(self) -> Any:
        return self.batch_sampler.sampler

    def __len__(self) -> int:
        """Batches in a whole epoch."""
        return len(self.batch_sampler)

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Makes the next iteration give this epoch from batch ``start_batch`` on; passed batches are not loaded."""
        self.batch_sampler.set_epoch(epoch, start_batch)


def close_loaders(owner: Any) -> None:
    """Ends the worker processes of all loaders of a data manager or a trainer."""
    for name in ("train_loader_x", "train_loader_u", "val_loader", "test_loader"):
        loader = getattr(owner, name, None)
        if hasattr(loader, "close"):
            loader.close()


class EpochLoader(ItemLoader):
    """Iterates over the batches of an epoch, as torch's ``DataLoader`` does.

    ``set_epoch(e, start_batch=k)`` makes the next iteration give epoch ``e`` from its batch ``k`` on. Without it, an
    iteration gives the epoch after the last one. The batches do not depend on the number of workers.

    Args:
        items: the data set with seeded views.
        batch_sampler: the plan of each epoch.
        num_workers: processes that read images; 0 reads in this one.
        pin_memory: put batches of worker processes into page-locked memory.
        keep_workers: keep the workers, and the memory of batches, from epoch to epoch, until :meth:`close`; else they
            end with each epoch.
        on_bad_image: ``error`` raises on an image that cannot be read, ``skip`` leaves it out and records it.

    Attributes:
        skipped: paths of the images left out so far.
    """

    def __init__(
        self,
        items: Items,
        batch_sampler: EpochBatchSampler,
        *,
        num_workers: int = 0,
        pin_memory: bool = False,
        keep_workers: bool = False,
        on_bad_image: str = "error",
    ) -> None:
        if on_bad_image not in ON_BAD_IMAGE:
            raise ConfigError(f"DATASET.ON_BAD_IMAGE is '{on_bad_image}'{suggest(on_bad_image, ON_BAD_IMAGE)}")
        self.items = items
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.keep_workers = keep_workers
        self._kept_memory: BatchMemory | None = None
        self.on_bad_image = on_bad_image
        self.skipped: set[str] = set()
        self._loader: DataLoader | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        batches = self._inline(iter(self.batch_sampler)) if self.num_workers == 0 else self._from_workers()
        self.batch_sampler.set_epoch(self.batch_sampler.epoch + 1)
        return self._checked(batches)

    def close(self) -> None:
        """Ends the workers. The loader can be iterated again, which starts new ones."""
        self._loader = self._kept_memory = None

    def __del__(self) -> None:
        self.close()

    def _from_workers(self) -> Iterator[Batch]:
        with worker_numbers_checked(self.num_workers):
            batches = iter(self._workers())
        remember_workers(batches._workers)
        return self._explained(batches)

    def _explained(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        try:
            with deaths_explained():
                yield from batches
        except LoaderWorkerError:
            self.close()  # its workers cannot be used again
            raise

    def _workers(self) -> DataLoader:
        if self._loader is not None:
            return self._loader
        check_open_files(self.num_workers)
        loader = DataLoader(
            self.items,
            batch_sampler=self.batch_sampler,
            num_workers=self.num_workers,
            collate_fn=functools.partial(collate, memory=self._memory(PREFETCH * self.num_workers + HELD)),
            prefetch_factor=PREFETCH,
            pin_memory=self.pin_memory,
            persistent_workers=self.keep_workers,
            worker_init_fn=_ignore_interrupts,
            generator=torch.Generator().manual_seed(self.items.seed),  # so that none is drawn from the global generator
        )
        if self.keep_workers:
            self._loader = loader
        return loader

    def _inline(self, batches: Iterator[list[ViewIndex]]) -> Iterator[Batch]:
        threads = torch.get_num_threads() if getattr(self.items.wrapper, "defers", False) else 1
        memory = self._kept_memory or self._memory(1 + HELD)
        if self.keep_workers:
            self._kept_memory = memory
        with _view_threads(threads) as pool:
            for batch in batches:
                yield collate(self.items.__getitems__(batch), pool, threads, memory)

    def _memory(self, batches: int) -> BatchMemory | None:
        """Buffers for this many batches; ``None`` where the size of a view is unknown or the system refuses."""
        view_bytes = getattr(self.items.wrapper, "view_bytes", 0)
        try:
            return BatchMemory(view_bytes * self.batch_size, batches) if view_bytes else None
        except (OSError, ValueError, OverflowError):
            return None

    def _checked(self, batches: Iterator[Batch]) -> Iterator[dict[str, Any]]:
        for content, bad in batches:
            for impath, error in bad:
                if self.on_bad_image == "error":
                    raise DataError(f"{error}; replace it, or leave such images out with DATASET.ON_BAD_IMAGE skip")
                if impath not in self.skipped:
                    logger.warning("%s; it is left out (DATASET.ON_BAD_IMAGE skip)", error)
                    self.skipped.add(impath)
            if content is not None:
                yield content
            content = None  # so that its memory can be used again


@contextmanager
def _view_threads(count: int) -> Iterator[ThreadPoolExecutor | None]:
    """Threads that compute views, each limited to one torch thread; ``None`` for a count of 1."""
    if count == 1:
        yield None
        return
    started = threading.Barrier(count)

    def begin() -> None:
        torch.empty(1).add_(1)  # torch sets a thread's number of threads at its first operation
        torch.set_num_threads(1)
        started.wait()

    with ThreadPoolExecutor(count, thread_name_prefix="views") as pool:
        for thread in [pool.submit(begin) for _ in range(count)]:
            thread.result()
        torch.set_num_threads(count)  # what the rest of the process sees, changed by the threads
        yield pool


def _ignore_interrupts(_worker: int) -> None:
    """Ctrl-C reaches every process of the terminal; only the main process decides to stop, and needs its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
