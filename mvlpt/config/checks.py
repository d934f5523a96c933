"""Checks across the whole configuration, all problems reported together, before anything is built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from yacs.config import CfgNode

from mvlpt.config.names import is_path_like, split_names
from mvlpt.config.options import OPTIONS
from mvlpt.config.values import flatten
from mvlpt.errors import ConfigError, suggest
from mvlpt.io import is_possible_path, short_repr

ADAM_FAMILY = ("adam", "amsgrad", "radam", "adamw")


_OF_PLUGINS: dict[str, tuple[Any, ...]] = {}


def allow_value(key: str, value: Any) -> None:
    """Lets :func:`check_config` take a value that a plugin gives an option, which only its own code reads."""
    known = _OF_PLUGINS.get(key, ())
    if value not in known:
        _OF_PLUGINS[key] = (*known, value)


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
        option = OPTIONS.get(key)  # a plugin's own options are in no table
        if option is not None and value is option.default:
            continue  # most values
        known = option is not None and value not in _OF_PLUGINS.get(key, ())
        problem = option.problem(value) if known else ""
        if problem:
            yield problem
        if isinstance(value, str) and not is_possible_path(value):
            yield f"{key} is {short_repr(value)}, which holds a null byte or half of a surrogate pair; take it out"
    shots = cfg.DATASET.NUM_SHOTS
    if shots == 0 or shots < -1:
        yield f"DATASET.NUM_SHOTS is {shots}; give a positive number of images per class, or -1 for all"
    if cfg.DATASET.MERGE_VAL and cfg.DATASET.SAMPLING not in ("elevater", "mvlpt"):
        yield "DATASET.MERGE_VAL needs DATASET.SAMPLING elevater or mvlpt, which cut a fifth off for validation"
    yield from _pseudo_label_problems(cfg.DATASET)
    if "gaussian_blur" in cfg.INPUT.TRANSFORMS and cfg.INPUT.GB_K % 2 == 0:
        yield f"INPUT.GB_K is {cfg.INPUT.GB_K}, but must be odd"
    scale = cfg.INPUT.RRCROP_SCALE
    if not OPTIONS["INPUT.RRCROP_SCALE"].problem(scale) and scale[0] > scale[1]:
        yield f"INPUT.RRCROP_SCALE is {scale}, but the smallest share comes first"
    yield from _optimiser_problems(cfg.OPTIM)
    if cfg.DATALOADER.TASK_TEMPERATURE <= 0:
        yield f"DATALOADER.TASK_TEMPERATURE is {cfg.DATALOADER.TASK_TEMPERATURE}, but must be above 0"
    names = task_names(cfg)
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"task '{name}' is named {names.count(name)} times; name every task once"
    evaluation_key = cfg.DATASET.MULTITASK_EVALKEY
    paths = any(map(is_path_like, names))  # their tasks' names stand inside
    if names and not paths and evaluation_key not in ("average", *names):
        yield f"DATASET.MULTITASK_EVALKEY is '{evaluation_key}'{suggest(evaluation_key, ['average', *names])}"


def _optimiser_problems(node: CfgNode) -> Iterator[str]:
    """What torch's optimisers refuse."""
    if node.NAME == "sgd" and node.SGD_NESTEROV and not (node.MOMENTUM > 0 and node.SGD_DAMPNING == 0):
        yield "OPTIM.SGD_NESTEROV needs OPTIM.MOMENTUM above 0 and OPTIM.SGD_DAMPNING 0"
    for key in ("ADAM_BETA1", "ADAM_BETA2") if node.NAME in ADAM_FAMILY else ():
        if node[key] >= 1:
            yield f"OPTIM.{key} is {node[key]}, but must be below 1"


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
