"""Orders that balance each batch by domain or by class, under Dassl's names."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from mvlpt.data.datum import Datum
from mvlpt.data.sampling.epoch_samplers import EpochSampler, by_domain
from mvlpt.errors import ConfigError


class RandomDomainSampler(EpochSampler):
    """Batches of ``batch_size`` images from ``n_domain`` random domains, the same number from each.

    An epoch ends when one of the domains just drawn from cannot fill another batch.

    Raises:
        ConfigError: the batch cannot be divided equally, or a domain has too few images.
    """

    def __init__(self, data_source: Sequence[Datum], batch_size: int, n_domain: int | None, seed: int = 0) -> None:
        super().__init__(data_source, seed)
        self.domain_dict = by_domain(data_source)
        self.domains = list(self.domain_dict)
        self.n_domain = n_domain if n_domain is not None and n_domain > 0 else len(self.domains)
        if self.n_domain > len(self.domains):
            raise ConfigError(f"N_DOMAIN is {self.n_domain}, but the training images have {len(self.domains)} domains")
        self.n_img_per_domain = _per_domain(batch_size, self.n_domain, self.domain_dict)

    def order(self, epoch: int) -> list[int]:
        stream = self._stream(epoch)
        return _domain_batches(self, stream, lambda: stream.sample(self.domains, self.n_domain))


class SeqDomainSampler(EpochSampler):
    """As :class:`RandomDomainSampler`, with every domain in every batch, in ascending order."""

    def __init__(self, data_source: Sequence[Datum], batch_size: int, seed: int = 0) -> None:
        super().__init__(data_source, seed)
        self.domain_dict = by_domain(data_source)
        self.domains = sorted(self.domain_dict)
        self.n_domain = len(self.domains)
        self.n_img_per_domain = _per_domain(batch_size, self.n_domain, self.domain_dict)

    def order(self, epoch: int) -> list[int]:
        return _domain_batches(self, self._stream(epoch), lambda: self.domains)


class RandomClassSampler(EpochSampler):
    """Groups of ``batch_size // n_ins`` random classes with ``n_ins`` images each: batches, if that comes out even.

    A class with fewer than ``n_ins`` images repeats some.

    Raises:
        ConfigError: ``n_ins`` exceeds the batch, or there are fewer classes than a batch needs.
    """

    def __init__(self, data_source: Sequence[Datum], batch_size: int, n_ins: int, seed: int = 0) -> None:
        super().__init__(data_source, seed)
        if not 0 < n_ins <= batch_size:
            raise ConfigError(f"N_INS is {n_ins}; it must be between 1 and the batch size {batch_size}")
        self.n_ins = n_ins
        self.ncls_per_batch = batch_size // n_ins
        self.index_dic: dict[Any, list[int]] = defaultdict(list)
        for index, item in enumerate(data_source):
            self.index_dic[item.label].append(index)
        self.labels = list(self.index_dic)
        if len(self.labels) < self.ncls_per_batch:
            raise ConfigError(
                f"RandomClassSampler needs {self.ncls_per_batch} classes a batch (BATCH_SIZE {batch_size} / N_INS "
                f"{n_ins}), but the training images have {len(self.labels)}"
            )

    def order(self, epoch: int) -> list[int]:
        stream = self._stream(epoch)
        portions: dict[Any, list[list[int]]] = {}
        for label in self.labels:
            indices = list(self.index_dic[label])
            if len(indices) < self.n_ins:
                indices = stream.choices(indices, k=self.n_ins)
            stream.shuffle(indices)
            whole = len(indices) // self.n_ins
            portions[label] = [indices[k * self.n_ins : (k + 1) * self.n_ins] for k in range(whole)]
        available = list(self.labels)
        order: list[int] = []
        while len(available) >= self.ncls_per_batch:
            for label in stream.sample(available, self.ncls_per_batch):
                order += portions[label].pop(0)
                if not portions[label]:
                    available.remove(label)
        return order


def _per_domain(batch_size: int, n_domain: int, members: dict[int, list[int]]) -> int:
    if batch_size % n_domain:
        raise ConfigError(f"A batch of {batch_size} cannot be divided equally among {n_domain} domains")
    share = batch_size // n_domain
    smallest = min(members, key=lambda domain: len(members[domain]))
    if len(members[smallest]) < share:
        raise ConfigError(
            f"A batch of {batch_size} takes {share} images from a domain, but domain {smallest} has only "
            f"{len(members[smallest])}"
        )
    return share


def _domain_batches(
    sampler: RandomDomainSampler | SeqDomainSampler, stream: random.Random, choose: Callable[[], list[int]]
) -> list[int]:
    """Draws without replacement from the chosen domains until one of them cannot provide its share."""
    left = {domain: list(positions) for domain, positions in sampler.domain_dict.items()}
    for positions in left.values():
        stream.shuffle(positions)
    share, order, full = sampler.n_img_per_domain, [], True
    while full:
        for domain in choose():
            order += [left[domain].pop() for _ in range(share)]
            full = full and len(left[domain]) >= share
    return order
