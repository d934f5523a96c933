"""Orders of training images: pure functions of the seed and the epoch, so a resumed run meets the same ones."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

from mvlpt.data.datum import Datum
from mvlpt.randomness import python_stream, torch_stream


class EpochSampler(Sampler[int], ABC):
    """A sampler whose order depends on nothing but its seed and the epoch.

    Args:
        data_source: the items to be ordered.
        seed: names the random stream.
    """

    def __init__(self, data_source: Sequence[Datum], seed: int = 0) -> None:
        self.data_source = data_source
        self.seed = seed
        self.epoch = 0

    @abstractmethod
    def order(self, epoch: int) -> list[int] | range:
        """Positions in ``data_source``, in the order of the given epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch that the next iteration gives."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(self.order(self.epoch))

    def __len__(self) -> int:
        return len(self.order(self.epoch))

    def _stream(self, epoch: int) -> random.Random:
        return python_stream("order", type(self).__name__, self.seed, epoch)


class SequentialSampler(EpochSampler):
    """The items as they come."""

    def order(self, epoch: int) -> range:
        return range(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(EpochSampler):
    """A new permutation every epoch.

    Args:
        data_source: the items.
        seed: names the random stream.
        length: draws an epoch; beyond the number of items, permutation follows permutation.
    """

    def __init__(self, data_source: Sequence[Datum], seed: int = 0, length: int | None = None) -> None:
        super().__init__(data_source, seed)
        self.length = len(data_source) if length is None else length

    def order(self, epoch: int) -> list[int]:
        return _permutations(len(self.data_source), self.length, torch_stream("order", "random", self.seed, epoch))

    def __len__(self) -> int:
        return self.length


class TaskSampler(EpochSampler):
    """Random order in which each task has a chosen share of the epoch: ``size ** (1 / temperature)``, normalised.

    Temperature 1 is proportional; an infinite one is uniform: every task is visited equally often, to within one
    image an epoch, and which task gets the odd image changes from epoch to epoch. Within a task no image is drawn a
    second time before all were drawn once.

    Args:
        data_source: items whose domain is their task's position.
        seed: names the random stream.
        length: draws an epoch.
        temperature: above 0; ``float("inf")`` for uniform.
    """

    def __init__(self, data_source: Sequence[Datum], seed: int, length: int, temperature: float) -> None:
        super().__init__(data_source, seed)
        self.length = length
        self._members = [torch.tensor(positions) for _, positions in sorted(by_domain(data_source).items())]
        weights = [len(positions) ** (1 / temperature) for positions in self._members]
        self.shares = [weight / sum(weights) for weight in weights]

    def quotas(self, epoch: int) -> list[int]:
        """Draws from each task in an epoch; they sum to ``length``."""
        exact = [share * self.length for share in self.shares]
        whole = [int(amount) for amount in exact]
        left = self.length - sum(whole)
        # Systematic sampling: the odd draws fall on tasks with probability equal to their fractions.
        fractions = [amount - int(amount) for amount in exact]
        scale = left / sum(fractions) if left else 0.0
        offset, reached = self._stream(epoch).random(), 0.0
        for task, fraction in enumerate(fractions):
            before, reached = reached, min(reached + fraction * scale, float(left))
            if task == len(fractions) - 1:
                reached = float(left)
            whole[task] += int(reached - offset + 1) - int(before - offset + 1)
        return whole

    def order(self, epoch: int) -> list[int]:
        stream = torch_stream("order", "tasks", self.seed, epoch)
        drawn = [
            positions[_permutations(len(positions), quota, stream)]
            for positions, quota in zip(self._members, self.quotas(epoch), strict=True)
        ]
        together = torch.cat(drawn)
        return together[torch.randperm(len(together), generator=stream)].tolist()

    def __len__(self) -> int:
        return self.length


def _permutations(size: int, length: int, stream: torch.Generator) -> list[int]:
    """The first ``length`` numbers of an endless row of permutations of ``range(size)``."""
    order: list[int] = []
    while len(order) < length:
        order += torch.randperm(size, generator=stream).tolist()[: length - len(order)]
    return order


def by_domain(data_source: Sequence[Datum]) -> dict[int, list[int]]:
    """Positions by domain, in the order of first appearance."""
    members: dict[int, list[int]] = defaultdict(list)
    for index, item in enumerate(data_source):
        members[item.domain].append(index)
    return members
