"""Decides in which batches the classes of a layout go through the text tower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mvlpt.models.optimisations import ComputeOptimisations
from mvlpt.models.towers.text_layout import TextLayout

# What starting one more batch costs, in tokens: launching kernels and reading weights again.
BATCH_COST = {"cpu": 24, "cuda": 4096, "replayed": 1024}
# What running the shared tokens in a pass of their own costs, in tokens: a GPU waits for its kernels to be launched,
# unless they are replayed.
PREFIX_COST = {"cpu": 0, "cuda": 8192, "replayed": 1024}


@dataclass(frozen=True)
class Chunk:
    """Classes that are encoded together, on the model's device.

    Attributes:
        ids: (N, L) token ids after the shared prefix, 0 for contexts and padding.
        slots: (N, L) rows of the flattened contexts, -1 for tokens; ``None`` if there are no contexts.
        ends: (N,) position of the end token.
        uniform: every row ends at its last position.
    """

    ids: Tensor
    slots: Tensor | None
    ends: Tensor
    uniform: bool


@dataclass(frozen=True, eq=False)
class TextPlan:
    """The batches, and how to put their features back in order; equal to itself only.

    Attributes:
        prefix: tokens that all prompts share and that run once.
        prefix_ids: (S,) their token ids.
        prefix_slots: (S,) their contexts or -1; ``None`` if there are none.
        chunks: the batches.
        order: (K',) index of each class among the chunks' features; ``None`` if they are in order.
    """

    prefix: int
    prefix_ids: Tensor
    prefix_slots: Tensor | None
    chunks: tuple[Chunk, ...]
    order: Tensor | None

    @property
    def tokens(self) -> int:
        """Tokens of all chunks, padding included."""
        return sum(chunk.ids.numel() for chunk in self.chunks)


def make_plan(
    layout: TextLayout,
    *,
    classes: Sequence[int] | None,
    context_length: int,
    chunk_tokens: int,
    optimisations: ComputeOptimisations,
    device: torch.device,
    replayed: bool = False,
) -> TextPlan:
    """Plans the encoding of ``classes`` (all, if ``None``).

    Args:
        layout: the prompts.
        classes: which classes, in the order in which their features are wanted.
        context_length: the length to which prompts are padded if they are not cut.
        chunk_tokens: most tokens in a batch.
        optimisations: the switches.
        device: where the tensors go; it also says what a batch costs.
        replayed: its passes are launched as one (:mod:`~mvlpt.models.towers.replay`), so that a batch costs less.
    """
    launching = "replayed" if replayed else device.type
    wanted = list(range(len(layout.rows))) if classes is None else list(classes)
    prefix = shared_prefix(layout, wanted, chunk_tokens, launching) if optimisations.text_prefix else 0
    lengths = {k: len(layout.rows[k]) - prefix for k in wanted}
    full = (layout.longest if optimisations.text_cut else context_length) - prefix
    cost = BATCH_COST.get(launching, 4096)
    ordered = sorted(wanted, key=lambda k: lengths[k]) if optimisations.text_buckets else wanted
    groups = _buckets([lengths[k] for k in ordered], cost) if optimisations.text_buckets else [len(ordered)]
    chunks, sequence, begin = [], [], 0
    for stop in groups:
        members = ordered[begin:stop]
        length = max(lengths[k] for k in members) if optimisations.text_cut and optimisations.text_buckets else full
        step = max(1, chunk_tokens // length) if optimisations.text_chunks else len(members)
        for first in range(0, len(members), step):
            part = members[first : first + step]
            chunks.append(_chunk(layout, part, prefix, length, device))
            sequence += part
        begin = stop
    row = layout.rows[0][:prefix]
    prefix_slots = _tensor([-entry - 1 if entry < 0 else -1 for entry in row], device)
    where = {k: position for position, k in enumerate(sequence)}
    return TextPlan(
        prefix=prefix,
        prefix_ids=_tensor([max(entry, 0) for entry in row], device),
        prefix_slots=prefix_slots if any(entry < 0 for entry in row) else None,
        chunks=tuple(chunks),
        order=None if sequence == wanted else _tensor([where[k] for k in wanted], device),
    )


def shared_prefix(layout: TextLayout, classes: Sequence[int], chunk_tokens: int, launching: str) -> int:
    """How many of the tokens that all prompts begin with run once for all of ``classes``; 0 if each runs its own copy.

    Copies are quicker on a GPU while there are few of them and one batch holds them.

    Args:
        layout: the prompts.
        classes: which of them are encoded.
        chunk_tokens: most tokens in a batch.
        launching: ``cpu``, ``cuda``, or ``replayed`` for a GPU whose kernels are launched together.
    """
    prefix = layout.shared_prefix()
    whole = len(classes) * max(len(layout.rows[k]) for k in classes)
    saved = prefix * (len(classes) - 1)
    return prefix if saved >= PREFIX_COST.get(launching, 8192) or whole > chunk_tokens else 0


def _buckets(lengths: Sequence[int], cost: int) -> list[int]:
    """Cuts a sorted list into runs that minimise padded tokens plus ``cost`` per run; returns where runs stop."""
    edges = [i for i in range(1, len(lengths)) if lengths[i] != lengths[i - 1]] + [len(lengths)]
    starts = [0, *edges[:-1]]
    best = {0: (0, [])}
    for edge in edges:
        options = [
            (best[begin][0] + (edge - begin) * lengths[edge - 1] + cost, [*best[begin][1], edge])
            for begin in starts
            if begin < edge
        ]
        best[edge] = min(options, key=lambda option: option[0])
    return best[len(lengths)][1]


def _chunk(layout: TextLayout, classes: Sequence[int], prefix: int, length: int, device: torch.device) -> Chunk:
    ids, slots, ends = [], [], []
    for k in classes:
        row = layout.rows[k][prefix:]
        padding = length - len(row)
        base = k * layout.n_ctx if layout.class_specific else 0
        ids.append([max(entry, 0) for entry in row] + [0] * padding)
        slots.append([base - entry - 1 if entry < 0 else -1 for entry in row] + [-1] * padding)
        ends.append(len(row) - 1)
    has_contexts = any(slot >= 0 for line in slots for slot in line)
    return Chunk(
        ids=_tensor(ids, device),
        slots=_tensor(slots, device) if has_contexts else None,
        ends=_tensor(ends, device),
        uniform=all(end == length - 1 for end in ends),
    )


def _tensor(values: list, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.int64, device=device)
