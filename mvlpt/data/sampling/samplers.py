"""Builds samplers by Dassl's names; training samplers also weigh the tasks of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mvlpt.data.datum import Datum
from mvlpt.data.sampling.domain_samplers import RandomClassSampler, RandomDomainSampler, SeqDomainSampler
from mvlpt.data.sampling.epoch_samplers import EpochSampler, RandomSampler, SequentialSampler, TaskSampler
from mvlpt.data.sampling.fewshot import stream_seed
from mvlpt.errors import ConfigError, suggest
from mvlpt.randomness import derive_seed

__all__ = [
    "SAMPLERS",
    "EpochSampler",
    "RandomClassSampler",
    "RandomDomainSampler",
    "RandomSampler",
    "SeqDomainSampler",
    "SequentialSampler",
    "TaskSampler",
    "build_sampler",
]

SAMPLERS = ("RandomSampler", "SequentialSampler", "RandomDomainSampler", "SeqDomainSampler", "RandomClassSampler")


def build_sampler(
    sampler_type: str,
    cfg: Any = None,
    data_source: Sequence[Datum] | None = None,
    batch_size: int = 32,
    n_domain: int = 0,
    n_ins: int = 16,
    *,
    task_mixing: bool = False,
    purpose: str = "train_x",
) -> EpochSampler:
    """Builds a sampler by name.

    Args:
        sampler_type: one of ``SAMPLERS``.
        cfg: the run's config, for the seed and the mixing of tasks; without it the seed is 0.
        data_source: the items.
        batch_size, n_domain, n_ins: see the samplers.
        task_mixing: apply ``DATALOADER.TASK_SAMPLING`` and ``DATALOADER.EPOCH_STEPS`` (training loaders do).
        purpose: names the random stream, so that the loaders of a run differ.

    Raises:
        ConfigError: no such sampler, or it cannot be combined with the config's mixing of tasks.
    """
    data_source = [] if data_source is None else data_source
    seed = stream_seed(cfg.SEED) if cfg is not None else 0
    seed = seed if purpose == "train_x" else derive_seed(purpose, seed)
    if task_mixing and cfg is not None:
        loader = cfg.DATALOADER
        several = len({item.domain for item in data_source}) > 1
        mixed = several and loader.TASK_SAMPLING != "proportional"
        if sampler_type != "RandomSampler" and (mixed or loader.EPOCH_STEPS > 0):
            key = "EPOCH_STEPS" if loader.EPOCH_STEPS > 0 else "TASK_SAMPLING"
            raise ConfigError(f"DATALOADER.{key} works with SAMPLER RandomSampler only, not with {sampler_type}")
        if mixed or loader.EPOCH_STEPS > 0:
            length = _epoch_length(len(data_source), batch_size, loader.EPOCH_STEPS)
            if not mixed:
                return RandomSampler(data_source, seed, length)
            temperature = float("inf") if loader.TASK_SAMPLING == "uniform" else loader.TASK_TEMPERATURE
            return TaskSampler(data_source, seed, length, temperature)
    if sampler_type == "RandomSampler":
        return RandomSampler(data_source, seed)
    if sampler_type == "SequentialSampler":
        return SequentialSampler(data_source, seed)
    if sampler_type == "RandomDomainSampler":
        return RandomDomainSampler(data_source, batch_size, n_domain, seed)
    if sampler_type == "SeqDomainSampler":
        return SeqDomainSampler(data_source, batch_size, seed)
    if sampler_type == "RandomClassSampler":
        return RandomClassSampler(data_source, batch_size, n_ins, seed)
    raise ConfigError(f"No sampler is named '{sampler_type}'{suggest(sampler_type, SAMPLERS)}")


def _epoch_length(num_items: int, batch_size: int, steps: int) -> int:
    """Draws an epoch: ``steps`` full batches, or those of one pass; a data set smaller than a batch is one batch."""
    batch_size = min(batch_size, num_items)
    return batch_size * (steps if steps > 0 else num_items // max(batch_size, 1))
