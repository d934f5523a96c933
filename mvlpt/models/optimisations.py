"""The savings, each with its own switch; none changes a result beyond rounding."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Economy:
    """What the towers may leave out because it cannot change logits or gradients.

    Attributes:
        text_cut: run prompts only up to the longest one, not up to the model's context length.
        text_prefix: run the tokens that begin every prompt once; all classes read their keys and values.
        text_buckets: encode classes of similar length together, so that little padding is computed.
        text_last_query: in the last text block compute only the end token's output.
        text_chunks: encode classes in chunks and recompute each chunk in the backward pass.
        text_reuse: keep text features while no trained parameter they depend on has changed.
        image_last_query: in the last image block compute only the class token's output.
        image_deep_keys: deep prompts, which the next layer replaces, give keys and values only, once per batch.
        task_classes: under ``per_task`` encode only the classes of the tasks that occur in the batch.
        fused_gelu: compute QuickGELU by the fused SiLU kernel.
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

    @classmethod
    def none(cls) -> Economy:
        """Every saving switched off."""
        return cls(**dict.fromkeys(cls.names(), False))

    @classmethod
    def only(cls, *names: str) -> Economy:
        """The named savings switched on, all others off."""
        return cls(**{name: name in names for name in cls.names()})

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of all switches."""
        return tuple(field.name for field in fields(cls))
