"""Choosing what each task shares: candidates, estimates, a one-standard-error rule; pure functions of arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.graph.choice.budget import DEFAULT_SHARE, folds_within
    from mvlpt.graph.choice.candidates import Candidate, PromptSource, check_candidates, propose_candidates
    from mvlpt.graph.choice.choice_file import Choice, read_choice, write_choice
    from mvlpt.graph.choice.estimates import Estimates, estimate_scores, pooled_difference
    from mvlpt.graph.choice.improvement import expected_improvement, next_candidate
    from mvlpt.graph.choice.prior import Prior, known_gains
    from mvlpt.graph.choice.rule import TaskChoice, choose_candidates
    from mvlpt.graph.choice.sets import ChosenPrompts, choose_prompts
    from mvlpt.graph.choice.surrogate import predict_gains

_HOMES = {
    "budget": ("DEFAULT_SHARE", "folds_within"),
    "candidates": ("Candidate", "PromptSource", "check_candidates", "propose_candidates"),
    "choice_file": ("Choice", "read_choice", "write_choice"),
    "estimates": ("Estimates", "estimate_scores", "pooled_difference"),
    "improvement": ("expected_improvement", "next_candidate"),
    "prior": ("Prior", "known_gains"),
    "rule": ("TaskChoice", "choose_candidates"),
    "sets": ("ChosenPrompts", "choose_prompts"),
    "surrogate": ("predict_gains",),
}

__all__ = [
    "DEFAULT_SHARE",
    "Candidate",
    "Choice",
    "ChosenPrompts",
    "Estimates",
    "Prior",
    "PromptSource",
    "TaskChoice",
    "check_candidates",
    "choose_candidates",
    "choose_prompts",
    "estimate_scores",
    "expected_improvement",
    "folds_within",
    "known_gains",
    "next_candidate",
    "pooled_difference",
    "predict_gains",
    "propose_candidates",
    "read_choice",
    "write_choice",
]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
