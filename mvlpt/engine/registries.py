"""The trainer registry, and how names get into it: shipped trainers, entry points, ``--plugin`` files."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from yacs.config import CfgNode

from mvlpt.errors import ConfigError
from mvlpt.randomness import derive_seed
from mvlpt.registry import Registry

if TYPE_CHECKING:
    from mvlpt.engine.trainer_base import TrainerBase

TRAINER_REGISTRY = Registry("trainer")
PLUGIN_GROUP = "mvlpt.plugins"


def build_trainer(cfg: CfgNode) -> TrainerBase:
    """The trainer that ``cfg.TRAINER.NAME`` names, built from ``cfg``.

    Raises:
        UnknownNameError: no trainer of that name.
    """
    return TRAINER_REGISTRY.get(cfg.TRAINER.NAME)(cfg)


def load_shipped() -> None:
    """Fills the registries with the trainers and data sets that come with the package."""
    for room in ("mvlpt.trainers", "mvlpt.datasets"):
        importlib.import_module(room)


def load_entry_points() -> None:
    """Imports what installed packages declare under the entry-point group ``mvlpt.plugins``."""
    for point in entry_points(group=PLUGIN_GROUP):
        try:
            point.load()
        except Exception as error:
            raise ConfigError(f"The plugin '{point.name}' ({point.value}) cannot be imported: {error}") from error


def load_plugin(path: str | Path) -> None:
    """Runs a Python file that registers trainers or data sets (``--plugin``). Its code is trusted like any import.

    It may import Dassl's names; where Dassl is not installed they lead to this engine. A file that this process has run
    is not run again.

    Raises:
        ConfigError: the file is missing or fails.
    """
    from mvlpt.engine.dassl_names import provide_dassl_names  # it imports this package

    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"No plugin file at {file}")
    provide_dassl_names()
    name = f"mvlpt_plugin_{file.stem}_{derive_seed(str(file.resolve())):x}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file} is not a Python file; a plugin's name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(f"The plugin {file} fails with {type(error).__name__}: {error}") from error


def extend_config(cfg: CfgNode) -> None:
    """Lets every registered trainer add the options of its own that its ``extend_cfg`` declares."""
    for name in TRAINER_REGISTRY.registered_names():
        extend = getattr(TRAINER_REGISTRY.get(name), "extend_cfg", None)
        if extend is not None:
            extend(cfg)
