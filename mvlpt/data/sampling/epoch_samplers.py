"""Orders of training images: pure functions of the seed and the epoch, so that a resumed run sees the same ones."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress

import torch
from torch.utils.data import Sampler

from mvlpt.data.datum import Datum
from mvlpt.errors import ConfigError
from mvlpt.randomness import python_stream, torch_stream


class EpochSampler(Sampler[int], ABC):
    """A sampler whose order depends only on its seed and the epoch.

    Args:
        data_source: the items to order.
        seed: names the random stream.
    """

    def __init__(self, data_source: Sequence[Datum], seed: int = 0) -> None:
        self.data_source = data_source
        self.seed = seed
        self.epoch = 0

    @abstractmethod
    def order(self, epoch: int) -> list[int] | range:
        """Indices into ``data_source``, in the order of the given epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch of the next iteration."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(self.order(self.epoch))

    def __len__(self) -> int:
        return len(self.order(self.epoch))

    def _stream(self, epoch: int) -> random.Random:
        return python_stream("order", type(self).__name__, self.seed, epoch)


class SequentialSampler(EpochSampler):
    """The items in the given order."""

    def order(self, epoch: int) -> range:
        return range(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(EpochSampler):
    """A new permutation every epoch.

    Args:
        data_source: the items.
        seed: names the random stream.
        length: draws an epoch; if it exceeds the number of items, further permutations follow.
    """

    def __init__(self, data_source: Sequence[Datum], seed: int = 0, length: int | None = None) -> None:
        super().__init__(data_source, seed)
        self.length = len(data_source) if length is None else length

    def order(self, epoch: int) -> list[int]:
        return _permutations(len(self.data_source), self.length, torch_stream("order", "random", self.seed, epoch))

    def __len__(self) -> int:
        return self.length


class TaskSampler(EpochSampler):
    """A random order in which each task has a chosen share of the epoch: ``size ** (1 / temperature)``, normalised.

    Temperature 1 is proportional; infinite temperature is uniform: all tasks are drawn equally often, up to one image
    an epoch, and the task that gets the extra image varies between epochs. Within a task no image is repeated before
    all have been drawn.

    Args:
        data_source: items whose domain is the index of their task.
        seed: names the random stream.
        length: draws an epoch.
        temperature: above 0; ``float("inf")`` for uniform.

    Raises:
        ConfigError: the temperature is so low that the shares cannot be computed.
    """

    def __init__(self, data_source: Sequence[Datum], seed: int, length: int, temperature: float) -> None:
        super().__init__(data_source, seed)
        self.length = length
        self._members = [torch.tensor(positions) for _, positions in sorted(by_domain(data_source).items())]
        weights = _weights([len(positions) for positions in self._members], temperature)
        self.shares = [weight / sum(weights) for weight in weights]

    def quotas(self, epoch: int) -> list[int]:
        """Draws from each task in an epoch; they sum to ``length``."""
        exact = [share * self.length for share in self.shares]
        whole = [int(amount) for amount in exact]
        left = self.length - sum(whole)
        # Systematic sampling: a task gets one of the remaining draws with a probability equal to its fraction.
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


def _weights(sizes: Sequence[int], temperature: float) -> list[float]:
    with suppress(OverflowError):
        weights = [size ** (1 / temperature) for size in sizes]
        if math.isfinite(sum(weights)):
            return weights
    raise ConfigError(
        f"DATALOADER.TASK_TEMPERATURE is {temperature}, which leaves all draws to the largest task; give a higher one"
    )


def _permutations(size: int, length: int, stream: torch.Generator) -> list[int]:
    """The first ``length`` numbers of an endless sequence of permutations of ``range(size)``."""
    order: list[int] = []
    while len(order) < length:
        order += torch.randperm(size, generator=stream).tolist()[: length - len(order)]
    return order


def by_domain(data_source: Sequence[Datum]) -> dict[int, list[int]]:
    """Indices by domain, in the order of first appearance."""
    members: dict[int, list[int]] = defaultdict(list)
    for index, item in enumerate(data_source):
        members[item.domain].append(index)
    return members
