"""The trainer registry, what fills it besides plugins, and the options that trainers add."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Set
from contextvars import ContextVar
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from yacs.config import CfgNode

from mvlpt.errors import ConfigError
from mvlpt.registry import Registry

if TYPE_CHECKING:
    from mvlpt.engine.trainer_base import TrainerBase

TRAINER_REGISTRY = Registry("trainer")
PLUGIN_GROUP = "mvlpt.plugins"
_current: ContextVar[CfgNode | None] = ContextVar("mvlpt_config", default=None)
_OPTIONS: dict[str, tuple[Callable[[CfgNode, str], None], Callable[[CfgNode, Set[str]], None] | None]] = {}


def build_trainer(cfg: CfgNode) -> TrainerBase:
    """The trainer that ``cfg.TRAINER.NAME`` names, built from ``cfg``.

    Raises:
        UnknownNameError: no trainer of that name.
    """
    token = _current.set(cfg)
    try:
        return TRAINER_REGISTRY.get(cfg.TRAINER.NAME)(cfg)
    finally:
        _current.reset(token)


def current_config() -> CfgNode | None:
    """The configuration of the trainer that is being built, for code that is called without one."""
    return _current.get()


def load_shipped() -> None:
    """Fills the registries with the trainers and data sets that come with the package."""
    for room in ("mvlpt.trainers", "mvlpt.datasets"):
        importlib.import_module(room)


def load_entry_points() -> None:
    """Imports what installed packages declare under the entry-point group ``mvlpt.plugins``."""
    for point in _declared(tuple(sys.path)):
        try:
            point.load()
        except Exception as error:
            raise ConfigError(f"The plugin '{point.name}' ({point.value}) cannot be imported: {error}") from error


def has_entry_points() -> bool:
    """Whether an installed package declares something under the entry-point group ``mvlpt.plugins``."""
    return bool(_declared(tuple(sys.path)))


@functools.cache
def _declared(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of packages on a path, looked up once: it takes as long as all else before a run."""
    return tuple(entry_points(group=PLUGIN_GROUP))


def register_options(
    owner: str,
    extend: Callable[[CfgNode, str], None],
    finish: Callable[[CfgNode, Set[str]], None] | None = None,
) -> None:
    """Adds a function that declares further options, for :func:`extend_config`.

    Args:
        owner: names it; a function of the same owner is replaced.
        extend: called with the configuration and the name of the run's trainer.
        finish: called with the merged configuration and the keys that somebody gave, for :func:`finish_config`.
    """
    _OPTIONS[owner] = (extend, finish)


def finish_config(cfg: CfgNode, given: Set[str]) -> None:
    """Lets plugins change the options of their trainers' runs once files, options and overrides are merged.

    Args:
        cfg: an unfrozen configuration.
        given: keys of the options that somebody gave for this run.
    """
    for _, finish in list(_OPTIONS.values()):
        if finish is not None:
            finish(cfg, given)


def extend_config(cfg: CfgNode, trainer: str = "") -> None:
    """Adds the options that plugins and registered trainers declare (``extend_cfg``).

    Args:
        cfg: an unfrozen configuration.
        trainer: the run's trainer; another plugin's defaults for options that exist already do not count for it.
    """
    for extend, _ in list(_OPTIONS.values()):
        extend(cfg, trainer)
    for entry in TRAINER_REGISTRY.entries().values():
        extend_cfg = getattr(entry, "extend_cfg", None)
        if extend_cfg is not None:
            extend_cfg(cfg)
