"""The options that a plugin adds to the configuration, and Dassl's helpers for configurations."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence, Set
from typing import Any

from yacs.config import CfgNode

from mvlpt.config import Config, allow_value, flatten, get_cfg_default, task_names
from mvlpt.dassl.program import Flag


def add_options(cfg: CfgNode, extend: Callable[[Any], None], *, defaults: bool) -> None:
    """Adds the options of a plugin's ``extend_cfg`` to ``cfg``; options that are there already are kept.

    Args:
        cfg: an unfrozen configuration.
        extend: the plugin's function; it runs on a copy, and may replace whole sections there.
        defaults: also take over the values that it gives to options that ``cfg`` has already.
    """
    extended = cfg.clone()
    extend(extended)
    _merge(cfg, extended, defaults, "")


def _merge(cfg: CfgNode, extended: CfgNode, defaults: bool, section: str) -> None:
    for key, value in extended.items():
        if isinstance(value, CfgNode) and isinstance(cfg.get(key), CfgNode):
            _merge(cfg[key], value, defaults, f"{section}{key}.")
        elif key not in cfg or (defaults and cfg[key] != value):
            cfg[key] = value.clone() if isinstance(value, CfgNode) else value
            allow_value(f"{section}{key}", value)


def add_flags(cfg: CfgNode, flags: Sequence[Flag]) -> None:
    """Adds the options that only flags of a program set, with the flags' defaults."""
    for flag in flags:
        *sections, name = flag.key.split(".")
        node = cfg
        for section in sections:
            node = node.setdefault(section, CfgNode())
        node.setdefault(name, flag.default)


def change_last(cfg: CfgNode, change: Callable[[Any], None], given: Set[str]) -> list[str]:
    """Lets a program change options after all are merged; what somebody gave for this run stays.

    Args:
        cfg: an unfrozen configuration.
        change: ``last_changes`` of :class:`OptionsOfProgram`.
        given: keys of the options that somebody gave.

    Returns:
        ``KEY VALUE`` of the values that the program would have put in place of given ones.
    """
    changed = cfg.clone()
    name, tasks = cfg.DATASET.NAME, task_names(cfg)
    changed.DATASET.NAME = name or (tasks[0] if len(tasks) == 1 else "")  # by which many choose
    change(changed)
    changed.DATASET.NAME = name
    before, kept = dict(flatten(cfg)), []
    for key, value in flatten(changed):
        if key in before and before[key] != value and key in given:
            kept.append(f"{key} {value}")
            *sections, last = key.split(".")
            functools.reduce(lambda node, section: node[section], sections, changed)[last] = before[key]
    _merge(cfg, changed, True, "")
    return kept


def fill(cfg: CfgNode, other: CfgNode) -> None:
    """Adds the options of ``other`` that ``cfg`` lacks."""
    for key, value in other.items():
        if key not in cfg:
            cfg[key] = value.clone() if isinstance(value, CfgNode) else value
        elif isinstance(value, CfgNode):
            fill(cfg[key], value)


def clean_cfg(cfg: CfgNode, trainer: str) -> None:
    """Drops the options of all trainers but one from ``cfg.TRAINER``.

    Args:
        cfg: an unfrozen configuration.
        trainer: the trainer whose section stays, in any case of letters.
    """
    for key in list(cfg.TRAINER):
        if key not in ("NAME", trainer.upper()):
            cfg.TRAINER.pop(key)


def __getattr__(name: str) -> Config:
    if name in ("_C", "cfg_default"):  # Dassl's names for the defaults
        return get_cfg_default()
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
