"""What a run tunes, as far as its cost depends on it; known from its configuration, before any data or model."""

from __future__ import annotations

from dataclasses import dataclass

from yacs.config import CfgNode

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.graph.choice import IMAGE, TEXT
from mvlpt.models.backbone import suppress_logging
from mvlpt.models.prompts import PromptCost

UNKNOWN = PromptCost(text_tokens=16, image_tokens=16)


@dataclass(frozen=True)
class Tuning:
    """What a trainer tunes. The defaults are those of a trainer of which nothing is known.

    Attributes:
        text: something that the text tower's output depends on.
        image: something that the image tower's output depends on.
        per_image: every image has class prompts of its own.
        prompt: how much longer prompts make the towers' inputs.
        precision: the number type of the image features.
        teacher: whether a frozen prompt classifies every training image, too.
        inner_steps: optimiser steps on each batch.
        inner_batch: images of such a step; 0 for the whole batch.
        test_views: views of every test image that are encoded.
        test_passes: passes of the class prompts of its task through the text tower for every test image.
    """

    text: bool = True
    image: bool = True
    per_image: bool = False
    prompt: PromptCost = UNKNOWN
    precision: str = "fp32"
    teacher: bool = False
    inner_steps: int = 1
    inner_batch: int = 0
    test_views: int = 1
    test_passes: int = 0


def prompt_parts(cfg: CfgNode) -> tuple[str, ...]:
    """What the prompt of a configuration's trainer changes: ``text``, ``image`` or both; nothing without a prompt."""
    planned = getattr(TRAINER_REGISTRY.get(cfg.TRAINER.NAME), "planned_prompt", None)
    if planned is None:
        return ()
    with suppress_logging():  # the run itself will warn of options that are ignored
        method, _ = planned(cfg)
    return tuple(part for part, trains in ((TEXT, method.trains_text), (IMAGE, method.trains_image)) if trains)


def tuning_of(cfg: CfgNode) -> Tuning:
    """What the trainer of a configuration tunes.

    Trainers of prompts say it by ``planned_prompt``, others by ``trains_images = False`` that they tune neither tower.

    Raises:
        PromptError: the options of the prompt do not fit.
        ConfigError: the configuration does not say which prompt is tuned.
    """
    if cfg.TRAINER.NAME not in TRAINER_REGISTRY:
        return Tuning()
    trainer = TRAINER_REGISTRY.get(cfg.TRAINER.NAME)
    section = getattr(trainer, "section", "")
    precision = cfg.TRAINER[section].PREC if section else "fp32"
    planned = getattr(trainer, "planned_prompt", None)
    if planned is not None:
        with suppress_logging():  # the run itself will warn of options that are ignored
            method, options = planned(cfg)
        extra = getattr(trainer, "planned_passes", lambda cfg: {})(cfg)
        image = method.trains_image or "test_views" in extra  # none can be kept where the test itself crops images
        cost = method.cost(options)
        return Tuning(method.trains_text, image, method.conditional, cost, precision, **extra)
    if not getattr(trainer, "trains_images", True):
        return Tuning(text=False, image=False, prompt=PromptCost(), precision=precision)
    return Tuning(precision=precision)
