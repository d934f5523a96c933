"""Where a new task starts from: the best stored prompt, or a weighted mean of several.

Vu et al., SPoT (ACL 2022, arXiv 2110.07904), section 3: start from the prompt of the most similar task, or from the
mean of the most similar ones, weighted by their similarity.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mvlpt.config import Config
from mvlpt.engine import CONFIG_FILE, TRAINER_REGISTRY, configured_backbone
from mvlpt.errors import CheckpointError, ConfigError, LibraryError
from mvlpt.library.embedding import only_task
from mvlpt.library.entry import Entry
from mvlpt.library.store import PromptLibrary
from mvlpt.library.suggest import Suggestion, suggest_prompts
from mvlpt.models import Backbone, PromptFile, load_prompt, load_prompt_state, save_prompt
from mvlpt.models.prompts import PromptMethod, shared_state

log = logging.getLogger(__name__)
START = "start.safetensors"


def mixture_weights(suggestions: Sequence[Suggestion]) -> np.ndarray:
    """Weights (n,) that add up to one: proportional to exp(-loss), or to similarity, at least 0, where losses lack."""
    if all(one.loss is not None for one in suggestions):
        losses = np.array([one.loss for one in suggestions])
        weights = np.exp(losses.min() - losses)
    else:
        weights = np.maximum([one.similarity for one in suggestions], 0.0)
        if not weights.sum() > 0:
            weights = np.ones(len(suggestions))
    return weights / weights.sum()


def start_of_run(library: str | Path, cfg: Config, count: int = 1, folder: str | Path | None = None) -> str:
    """Where a run starts from: chosen once and kept in its folder, so that resuming chooses nothing anew.

    Args:
        library: its folder.
        cfg: of the run: one task, and a trainer that tunes a prompt.
        count: prompts to join; 1 for the best.
        folder: where to write; the run's folder by default.

    Returns:
        The path of ``start.safetensors`` in that folder.

    Raises:
        LibraryError: nothing in the library fits, or a run has begun in the folder from another start.
        ConfigError: the trainer tunes no prompt, or the run starts from elsewhere, too.
    """
    if cfg.RUN.INIT_FROM and Path(cfg.RUN.INIT_FROM).name != START:
        raise ConfigError("A run starts from one place: give --model-dir or --init-from, not both")
    if count < 1:
        raise ConfigError(f"--init-mix is {count}, but at least one prompt must be taken")
    file = Path(folder or cfg.OUTPUT_DIR) / START
    if (file.parent / CONFIG_FILE).is_file():
        return _start_of_begun_run(file, count)
    planned = getattr(TRAINER_REGISTRY.get(cfg.TRAINER.NAME), "planned_prompt", None)
    if planned is None:
        raise ConfigError(f"{cfg.TRAINER.NAME} tunes no prompt that a library could hold; drop --init-from")
    opened = PromptLibrary(library)
    if not len(opened):
        raise LibraryError(f"{library} holds no prompts; add some: mvlpt library add {library} RUN")
    backbone = configured_backbone(cfg, torch.device("cpu"), "fp32")
    method, options = planned(cfg)
    class_names = only_task(cfg).class_names
    fitting = Fitting(opened, method, options, backbone, class_names)
    found = suggest_prompts(opened, cfg, backbone, method=method.name, fits=fitting, enough=count)[:count]
    if not found:
        raise LibraryError(f"{library}: no prompt of the method '{method.name}' fits this run. {fitting.reasons[0]}")
    log.info("Starting from %s", "; ".join(f"{', '.join(one.entry.tasks)} ({one.entry.key})" for one in found))
    return str(start_prompt(opened, found, backbone, class_names, file, asked=count))


def _start_of_begun_run(file: Path, count: int) -> str:
    """The start of the run in a folder, if it is what is asked for.

    Raises:
        LibraryError: the run did not start from a library, or from another number of prompts.
    """
    if not file.is_file():
        raise LibraryError(
            f"{file.parent} holds a run that did not start from a library; choose another --output-dir, or delete that"
            " folder"
        )
    extra = load_prompt(file).extra
    asked = extra.get("asked", count)
    if asked != count:
        raise LibraryError(
            f"{file.parent} holds a run that started with --init-mix {asked}, not {count}; choose another --output-dir"
        )
    return str(file)


class Fitting:
    """Whether stored prompts have the names and shapes of what a run tunes; called with an entry.

    Attributes:
        reasons: why prompts did not fit, one sentence each.
    """

    def __init__(
        self,
        library: PromptLibrary,
        method: PromptMethod,
        options: Any,
        backbone: Backbone,
        class_names: Sequence[str],
    ) -> None:
        method.check_backbone(backbone)
        with torch.random.fork_rng(devices=[]):
            self._learner, _ = method.build(backbone, class_names, options)
        self._library = library
        self.reasons: list[str] = []

    def __call__(self, entry: Entry) -> bool:
        """Reads the prompt.

        Raises:
            CheckpointError: its file is missing or damaged.
        """
        tensors = shared_state(self._library.prompt(entry).tensors)
        try:
            load_prompt_state(self._learner, tensors, source=str(self._library.prompt_path(entry)))
        except CheckpointError as error:
            self.reasons.append(str(error))
            return False
        return True


def start_prompt(
    library: PromptLibrary,
    suggestions: Sequence[Suggestion],
    backbone: Backbone,
    class_names: Sequence[str],
    file: Path,
    asked: int | None = None,
) -> Path:
    """Writes the prompt that a task starts from; one suggestion is taken as it is, of several the weighted mean.

    Args:
        library: where the prompts lie.
        suggestions: those to join.
        backbone: the frozen model.
        class_names: of the new task.
        file: to write.
        asked: how many were asked for, which the file records; those that are joined by default.

    Raises:
        LibraryError: prompts of different methods or sizes have no mean.
    """
    prompts = [library.prompt(one.entry) for one in suggestions]
    if not _have_a_mean(prompts):
        raise LibraryError(
            f"{library.folder}: the {len(prompts)} best prompts differ in method or size and cannot be averaged; start"
            " from one (--init-mix 1)"
        )
    weights = mixture_weights(suggestions)
    prompted = _weighted_mean(prompts, weights).build(backbone, list(class_names))
    extra = {
        "started_from": [one.entry.key for one in suggestions],
        "weights": [round(float(weight), 4) for weight in weights],
        "of_tasks": sorted({task for one in suggestions for task in one.entry.tasks}),
        "asked": asked or len(suggestions),
    }
    return save_prompt(file, prompted, extra=extra)


def _have_a_mean(prompts: Sequence[PromptFile]) -> bool:
    """Whether prompts have the same method and shapes, so that their mean is a prompt."""
    shapes = [{name: value.shape for name, value in shared_state(prompt.tensors).items()} for prompt in prompts]
    return all(one == shapes[0] for one in shapes) and len({prompt.method for prompt in prompts}) == 1


def _weighted_mean(prompts: Sequence[PromptFile], weights: np.ndarray) -> PromptFile:
    first = prompts[0]
    if len(prompts) == 1:
        return first
    mean = {
        name: sum(w * one.tensors[name].double() for w, one in zip(weights.tolist(), prompts, strict=True)).to(value)
        for name, value in shared_state(first.tensors).items()
    }
    return replace(first, tensors=mean)
