"""Choosing what each task shares: candidates, estimates, a one-standard-error rule; pure functions of arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.graph.choice.budget import DEFAULT_SHARE, folds_within, least_budget
    from mvlpt.graph.choice.candidates import Candidate, PromptSource, check_candidates, propose_candidates
    from mvlpt.graph.choice.choice_file import Choice, read_choice, write_choice
    from mvlpt.graph.choice.estimates import Estimates, estimate_scores, pooled_difference
    from mvlpt.graph.choice.improvement import expected_gains, expected_improvement, next_candidate
    from mvlpt.graph.choice.prior import (
        CLASS_FOLD_BIAS,
        ELSEWHERE,
        IMAGE,
        LITTLE_KNOWN,
        SAME_CLASSES,
        TEXT,
        WELL_KNOWN,
        Prior,
        known_gains,
        shrunk_accuracies,
    )
    from mvlpt.graph.choice.rule import TaskChoice, choose_candidates
    from mvlpt.graph.choice.sets import ChosenPrompts, choose_prompts
    from mvlpt.graph.choice.surrogate import fill_unmeasured, predict_gains

_HOMES = {
    "budget": ("DEFAULT_SHARE", "folds_within", "least_budget"),
    "candidates": ("Candidate", "PromptSource", "check_candidates", "propose_candidates"),
    "choice_file": ("Choice", "read_choice", "write_choice"),
    "estimates": ("Estimates", "estimate_scores", "pooled_difference"),
    "improvement": ("expected_gains", "expected_improvement", "next_candidate"),
    "prior": (
        "CLASS_FOLD_BIAS",
        "ELSEWHERE",
        "IMAGE",
        "LITTLE_KNOWN",
        "SAME_CLASSES",
        "TEXT",
        "WELL_KNOWN",
        "Prior",
        "known_gains",
        "shrunk_accuracies",
    ),
    "rule": ("TaskChoice", "choose_candidates"),
    "sets": ("ChosenPrompts", "choose_prompts"),
    "surrogate": ("fill_unmeasured", "predict_gains"),
}

__all__ = [
    "CLASS_FOLD_BIAS",
    "DEFAULT_SHARE",
    "ELSEWHERE",
    "IMAGE",
    "LITTLE_KNOWN",
    "SAME_CLASSES",
    "TEXT",
    "WELL_KNOWN",
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
    "expected_gains",
    "expected_improvement",
    "fill_unmeasured",
    "folds_within",
    "known_gains",
    "least_budget",
    "next_candidate",
    "pooled_difference",
    "predict_gains",
    "propose_candidates",
    "read_choice",
    "shrunk_accuracies",
    "write_choice",
]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
