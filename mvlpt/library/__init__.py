"""A library of tuned prompts: what is stored, which of it suits a new task, and where to start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.library.embedding import embedded_task
    from mvlpt.library.entry import Entry
    from mvlpt.library.mixing import mixture_weights, start_of_run, start_prompt
    from mvlpt.library.ranking import rank
    from mvlpt.library.store import PromptLibrary
    from mvlpt.library.suggest import Suggestion, suggest_prompts

_HOMES = {
    "embedding": ("embedded_task",),
    "entry": ("Entry",),
    "mixing": ("mixture_weights", "start_of_run", "start_prompt"),
    "ranking": ("rank",),
    "store": ("PromptLibrary",),
    "suggest": ("Suggestion", "suggest_prompts"),
}

__all__ = [
    "Entry",
    "PromptLibrary",
    "Suggestion",
    "embedded_task",
    "mixture_weights",
    "rank",
    "start_of_run",
    "start_prompt",
    "suggest_prompts",
]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
