"""How the engine calls an evaluator, its own or a plugin's, which may take fewer arguments and return plain numbers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from yacs.config import CfgNode

from mvlpt.engine.evaluation import EVALUATOR_REGISTRY, EvaluatorBase, TaskScore


def build_evaluator(cfg: CfgNode, **kwargs: Any) -> EvaluatorBase:
    """The evaluator that ``TEST.EVALUATOR`` names.

    Args:
        cfg: the run's configuration.
        **kwargs: what the engine offers (``lab2cname``, ``tasks``); an evaluator gets those that it can take.
    """
    build = EVALUATOR_REGISTRY.get(cfg.TEST.EVALUATOR)
    return build(cfg, **{name: value for name, value in kwargs.items() if _takes(build, name)})


def process_batch(evaluator: Any, output: Any, label: Any, batch: Mapping[str, Any]) -> None:
    """Gives an evaluator a batch's output and labels, with the images' tasks and files where it takes them."""
    offered = {"task": batch.get("task"), "images": batch.get("impath")}
    known = {name: value for name, value in offered.items() if value is not None and _takes(evaluator.process, name)}
    evaluator.process(output, label, **known)


def scores_of(evaluator: Any, results: Any, task: str, images: int) -> list[TaskScore]:
    """The scores of an evaluation: an evaluator's own list, or else one score from what it, or a trainer, returned.

    Args:
        evaluator: any evaluator; the engine's own list each task's score in ``task_scores``.
        results: numbers by name, of which the first counts, or one number, read as the accuracy.
        task: the name of the task.
        images: how many were scored.
    """
    listed = list(getattr(evaluator, "task_scores", ()))
    if listed:
        return listed
    if isinstance(results, Mapping):
        name, value = next(iter(results.items()), ("", None))
    else:
        name, value = "accuracy", results
    try:
        return [TaskScore(task, str(name), float(value), True, images)]
    except (TypeError, ValueError):
        return []


def _takes(function: Any, name: str) -> bool:
    """Whether a call may pass the keyword ``name``."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return name in parameters or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
