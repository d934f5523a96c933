"""Checks across the whole configuration, all problems reported together, before anything is built."""

from __future__ import annotations

from collections.abc import Iterator

from yacs.config import CfgNode

from mvlpt.config.names import is_path_like, split_names
from mvlpt.config.options import OPTIONS
from mvlpt.config.values import flatten
from mvlpt.errors import ConfigError, suggest


def check_config(cfg: CfgNode) -> None:
    """Checks values against each other and against what is allowed.

    Raises:
        ConfigError: one sentence that lists every problem found.
    """
    problems = list(_problems(cfg))
    if problems:
        raise ConfigError("The configuration cannot be used: " + "; ".join(problems))


def task_names(cfg: CfgNode) -> list[str]:
    """The tasks a run is about, in the order given: ``DATASET.DATASET``, or else ``DATASET.NAME``, cut at commas."""
    return split_names(cfg.DATASET.DATASET or cfg.DATASET.NAME)


def _problems(cfg: CfgNode) -> Iterator[str]:
    for key, value in flatten(cfg):
        problem = OPTIONS[key].problem(value) if key in OPTIONS else ""  # a plugin's own options are in no table
        if problem:
            yield problem
    shots = cfg.DATASET.NUM_SHOTS
    if shots == 0 or shots < -1:
        yield f"DATASET.NUM_SHOTS is {shots}; give a positive number of images per class, or -1 for all"
    if cfg.DATASET.MERGE_VAL and cfg.DATASET.SAMPLING not in ("elevater", "mvlpt"):
        yield "DATASET.MERGE_VAL needs DATASET.SAMPLING elevater or mvlpt, which cut a fifth off for validation"
    yield from _pseudo_label_problems(cfg.DATASET)
    if len(cfg.INPUT.SIZE) != 2 or min(cfg.INPUT.SIZE) < 1:
        yield f"INPUT.SIZE is {cfg.INPUT.SIZE}; give height and width in pixels, for instance (224, 224)"
    if cfg.DATALOADER.TASK_TEMPERATURE <= 0:
        yield f"DATALOADER.TASK_TEMPERATURE is {cfg.DATALOADER.TASK_TEMPERATURE}, but must be above 0"
    names = task_names(cfg)
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"task '{name}' is named {names.count(name)} times; name every task once"
    evaluation_key = cfg.DATASET.MULTITASK_EVALKEY
    paths = any(map(is_path_like, names))  # their tasks' names stand inside
    if names and not paths and evaluation_key not in ("average", *names):
        yield f"DATASET.MULTITASK_EVALKEY is '{evaluation_key}'{suggest(evaluation_key, ['average', *names])}"


def _pseudo_label_problems(node: CfgNode) -> Iterator[str]:
    """What reads the labels of training images that are to have none."""
    if "PSEUDO_LABELS" not in node or node.PSEUDO_LABELS.METHOD == "none":
        return
    if node.SAMPLING not in ("independent", "coop"):
        yield (
            f"DATASET.PSEUDO_LABELS needs DATASET.SAMPLING independent or coop; {node.SAMPLING} cuts validation images"
            " off by their labels"
        )
    if node.FOLDS:
        yield "DATASET.FOLDS splits labelled images; with DATASET.PSEUDO_LABELS set it to 0"
