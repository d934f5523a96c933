"""How training on one task changes another: by a look-ahead step, by gradients, by its own prompt, or measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.graph.affinity.first_order import gradient_affinity
    from mvlpt.graph.affinity.lookahead import lookahead_affinity
    from mvlpt.graph.affinity.measured import fill_one_sided, measured_gains
    from mvlpt.graph.affinity.prompt_gradients import PromptLosses, TaskBatch, TaskLosses
    from mvlpt.graph.affinity.transferability import TaskFeatures, transferability_affinity

__all__ = [
    "PromptLosses",
    "TaskBatch",
    "TaskFeatures",
    "TaskLosses",
    "fill_one_sided",
    "gradient_affinity",
    "lookahead_affinity",
    "measured_gains",
    "transferability_affinity",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "gradient_affinity": "first_order",
        "lookahead_affinity": "lookahead",
        "fill_one_sided": "measured",
        "measured_gains": "measured",
        "PromptLosses": "prompt_gradients",
        "TaskBatch": "prompt_gradients",
        "TaskLosses": "prompt_gradients",
        "TaskFeatures": "transferability",
        "transferability_affinity": "transferability",
    },
)
