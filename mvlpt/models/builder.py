"""Builds a prompted CLIP from plain arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch

from mvlpt.errors import PromptError, suggest
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.label_space import LabelSpace
from mvlpt.models.optimisations import ComputeOptimisations, resolve_optimisations
from mvlpt.models.prompted_clip import PromptedCLIP
from mvlpt.models.prompts import PROMPT_METHODS, PrivateParts, PromptLearner, prompt_method
from mvlpt.models.towers.text_layout import clean_class_names, warn_of_duplicates

TEXT_CHUNK = 8192


def build_prompted_clip(
    backbone: Backbone,
    class_names: Sequence[Any],
    method: str = "coop",
    *,
    legacy: bool = False,
    task_ranges: Sequence[tuple[int, int]] | None = None,
    label_space: str = "joint",
    optimisations: ComputeOptimisations | None = None,
    text_chunk: int = TEXT_CHUNK,
    seed: int | None = None,
    private_rank: int = 0,
    task_names: Sequence[str] | None = None,
    economy: ComputeOptimisations | None = None,
    **options: Any,
) -> PromptedCLIP:
    """A frozen CLIP with a fresh prompt.

    Args:
        backbone: the frozen model.
        class_names: the classes of all tasks, one after the other; of several synonyms the first is used.
        method: a registered prompt method: ``coop`` (text), ``vpt`` (visual), ``upt`` (both), ``cocoop`` (text,
            conditioned on the image), or one of your own.
        legacy: repeat upstream's deviations from the papers; see ``docs/models.md``.
        task_ranges: (start, stop) of each task's classes; one task by default.
        label_space: ``joint`` or ``per_task``.
        optimisations: which to use, all by default.
        text_chunk: most text tokens that are encoded at once.
        seed: of the random prompt; ``None`` draws from torch's global generator.
        private_rank: rank of what each task changes in the prompt that it shares with the others, 0 for nothing; see
            :mod:`mvlpt.models.prompts.private`.
        task_names: of the tasks, under which their private parts are saved, by default their numbers; they also tell
            apart classes of one name that have trained weights.
        economy: former name of ``optimisations``.
        options: of the method, such as ``n_ctx``; ``docs/models.md`` lists them. Those that only other methods have
            are ignored, so that methods can be compared by changing ``method`` alone.

    Raises:
        PromptError: names, contexts or options that do not fit.
        BackboneError: the backbone cannot carry the prompt.
    """
    chosen = prompt_method(method)
    _refuse_unknown(options)
    arguments = chosen.make_options(**options, legacy=legacy)
    if text_chunk < 1:
        raise PromptError(f"A text chunk needs at least one token, not {text_chunk}")
    names = clean_class_names(class_names)
    ranges = [(0, len(names))] if task_ranges is None else [(int(start), int(stop)) for start, stop in task_ranges]
    space = LabelSpace(label_space, tuple(ranges), len(names), legacy)
    if task_names is not None and len(task_names) != len(ranges):
        raise PromptError(f"There are names for {len(task_names)} tasks, but {len(ranges)} ranges of classes")
    warn_of_duplicates(names, ranges)
    chosen.check_backbone(backbone)
    if private_rank and chosen.conditional:
        raise PromptError(f"Prompts of the method '{method}' differ for every image and take no private parts of tasks")
    with _seeded(seed):
        learner, layout = chosen.build(backbone, names, arguments)
        if private_rank:
            tasks = [str(number) for number in range(len(ranges))] if task_names is None else list(task_names)
            learner.private = _private_parts(learner, method, tasks, private_rank, seed)
    if learner.classes is not None:
        owners = [""] * len(ranges) if task_names is None else list(task_names)
        learner.classes.identify(
            names, [owners[t] for t, (start, stop) in enumerate(ranges) for _ in range(start, stop)]
        )
    return PromptedCLIP(
        backbone,
        chosen,
        learner,
        layout,
        space,
        optimisations=resolve_optimisations(optimisations, economy),
        text_chunk=text_chunk,
        class_names=names,
        options={
            "method": method,
            **asdict(arguments),
            "legacy": legacy,
            "label_space": label_space,
            **({"private_rank": private_rank} if private_rank else {}),
        },
    )


def _private_parts(
    learner: PromptLearner, method: str, tasks: Sequence[str], rank: int, seed: int | None
) -> PrivateParts:
    drawn = int(torch.randint(2**62, ())) if seed is None else seed
    with torch.no_grad():
        parts = PrivateParts(tasks, learner(), rank, drawn)
    if not any(True for _ in parts.parameters()):
        raise PromptError(f"The method '{method}' has no contexts or visual prompts that tasks could change in private")
    return parts


def _refuse_unknown(options: dict[str, Any]) -> None:
    known = {name for method in PROMPT_METHODS for name in PROMPT_METHODS.get(method).option_names()}
    for name in options:
        if name not in known:
            raise PromptError(f"No prompt method has an option '{name}'{suggest(name, known)}")


@contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """With a seed, draws from a stream of its own and restores the state of torch's global generator."""
    if seed is None:
        yield
        return
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)
