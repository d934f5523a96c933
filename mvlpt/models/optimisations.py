"""Compute optimisations, each with its own switch; none changes a result beyond rounding."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class ComputeOptimisations:
    """Work that the towers may skip because it changes neither logits nor gradients.

    Attributes:
        text_cut: run class prompts only up to the longest one, not up to the model's context length.
        text_prefix: run the tokens that begin every class prompt once; all classes read their keys and values.
        text_buckets: encode classes of similar length together, so that little padding is computed.
        text_last_query: in the last text block compute only the end token's output.
        text_chunks: encode classes in chunks and recompute each chunk in the backward pass.
        text_reuse: keep text features until a trained parameter on which they depend changes.
        image_last_query: in the last image block compute only the class token's output.
        image_deep_keys: compute only keys and values of deep prompts, which the next layer replaces, once per batch.
        task_classes: under ``per_task`` encode only the classes of the tasks that occur in the batch.
        fused_gelu: compute QuickGELU by the fused SiLU kernel.
        replay: on a GPU record the towers' training passes and replay them as CUDA graphs.
    """

    text_cut: bool = True
    text_prefix: bool = True
    text_buckets: bool = True
    text_last_query: bool = True
    text_chunks: bool = True
    text_reuse: bool = True
    image_last_query: bool = True
    image_deep_keys: bool = True
    task_classes: bool = True
    fused_gelu: bool = True
    replay: bool = True

    @classmethod
    def none(cls) -> ComputeOptimisations:
        """All optimisations off."""
        return cls(**dict.fromkeys(cls.names(), False))

    @classmethod
    def only(cls, *names: str) -> ComputeOptimisations:
        """The named optimisations on, all others off."""
        return cls(**{name: name in names for name in cls.names()})

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of all switches."""
        return tuple(field.name for field in fields(cls))


def resolve_optimisations(
    optimisations: ComputeOptimisations | None, economy: ComputeOptimisations | None
) -> ComputeOptimisations:
    """The optimisations passed to a public function: all by default; ``economy`` is the argument's former name."""
    if economy is not None:
        warnings.warn("The argument 'economy' is now called 'optimisations'", DeprecationWarning, stacklevel=3)
    return optimisations or economy or ComputeOptimisations()
