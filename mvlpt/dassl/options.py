"""The options that a plugin adds to the configuration, and Dassl's helpers for configurations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yacs.config import CfgNode

from mvlpt.config import Config, allow_value, get_cfg_default


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
