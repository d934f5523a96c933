"""The images and views in each batch of an epoch: a function of the sampler and the epoch alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler

from mvlpt.data.loading.items import ViewIndex
from mvlpt.data.sampling.epoch_samplers import EpochSampler
from mvlpt.randomness import python_stream


class EpochBatchSampler(Sampler[list[ViewIndex]]):
    """Splits a sampler's order into batches of (index, view).

    Args:
        sampler: gives the order of each epoch.
        batch_size: images a batch.
        drop_last: leave out a short last batch if there is a full one.
        views: ``None`` means always view 0 (evaluation); 0 a new view in every epoch; K > 0 cycles through K fixed
            views. An image drawn several times in an epoch comes in a different view each time.
    """

    def __init__(
        self, sampler: EpochSampler, batch_size: int, *, drop_last: bool = False, views: int | None = None
    ) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.views = views
        self.epoch = 0
        self.start_batch = 0

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Chooses the epoch, and how many of its batches to skip, for later iterations."""
        self.epoch = epoch
        self.start_batch = start_batch
        self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[ViewIndex]]:
        return (list(zip(*batch, strict=True)) for batch in self.columns())

    def columns(self) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
        """The indices and the views of each batch, which iterating the sampler gives in pairs."""
        return self._batches(self.epoch, self.start_batch)

    def __len__(self) -> int:
        """Batches in a whole epoch, regardless of ``start_batch``."""
        return self._count(len(self.sampler))

    def _count(self, draws: int) -> int:
        """Number of batches made from ``draws`` images."""
        whole, rest = divmod(draws, self.batch_size)
        return whole if self.drop_last and whole else whole + (rest > 0)

    def _batches(self, epoch: int, start_batch: int) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
        order = self.sampler.order(epoch)
        once = self.views is None or len(set(order)) == len(order)
        drawn: dict[int, int] | None = None if once else {}
        for number, positions in enumerate(self._split(order, epoch)):
            views = self._views(epoch, drawn, positions)
            if number >= start_batch:
                yield positions, views

    def _split(self, order: Sequence[int], epoch: int) -> Iterator[Sequence[int]]:
        """The indices of each batch."""
        for number in range(self._count(len(order))):
            yield order[number * self.batch_size : (number + 1) * self.batch_size]

    def _views(self, epoch: int, drawn: dict[int, int] | None, positions: Sequence[int]) -> list[int]:
        """The view of each image; ``drawn`` counts its draws of the epoch, ``None`` where each is drawn once."""
        views = self.views
        if views is None:
            return [0] * len(positions)
        if drawn is None:
            return [epoch % views if views else epoch] * len(positions)
        found = []
        for position in positions:
            again = drawn.get(position, 0)
            drawn[position] = again + 1
            found.append((epoch + again) % views if views else epoch + (again << 32))
        return found


class TaskBatchSampler(EpochBatchSampler):
    """Batches of one task each, in random order.

    Every task is split into batches as if it were alone, so it makes as many steps an epoch as in a run of its own.
    The arguments are those of :class:`EpochBatchSampler`; an item's domain is the index of its task.
    """

    def __len__(self) -> int:
        """Batches in the current epoch."""
        return sum(1 for _ in self._split(self.sampler.order(self.epoch), self.epoch))

    def _split(self, order: Sequence[int], epoch: int) -> Iterator[Sequence[int]]:
        members: dict[int, list[int]] = defaultdict(list)
        for position in order:
            members[self.sampler.data_source[position].domain].append(position)
        batches = []
        for task in sorted(members):
            batches += list(super()._split(members[task], epoch))
        python_stream("order", "task batches", self.sampler.seed, epoch).shuffle(batches)
        return iter(batches)
