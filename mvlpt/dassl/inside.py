"""Our trainers and data sets inside an installed Dassl: its ``build_trainer`` and ``build_dataset`` find them."""

from __future__ import annotations

import importlib
import importlib.machinery
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

from mvlpt.config import Config, flatten, get_cfg_default, task_names
from mvlpt.dassl.names import TAG
from mvlpt.dassl.options import fill
from mvlpt.dassl.repairs import repair_dassl
from mvlpt.data.datasets import DATASET_REGISTRY, build_dataset
from mvlpt.engine import TRAINER_REGISTRY, build_trainer, load_entry_points, load_shipped, print_results
from mvlpt.errors import ConfigError, MissingExtraError
from mvlpt.registry import Registry
from mvlpt.runtime import setup_logging

OURS = "__mvlpt_offers__"


def join_dassl() -> None:
    """Offers our trainers and data sets in the installed Dassl's registries, and repairs Dassl for current PyTorch.

    Afterwards ``dassl.engine.build_trainer(cfg)`` builds ``MVLPT-CoOp`` and the others from Dassl's configuration, and
    ``dassl.data.DataManager(cfg)`` finds our data sets. What is registered with Dassl under the same name comes first.

    Raises:
        MissingExtraError: Dassl is not installed.
        ConfigError: this engine answers ``import dassl`` in this process already.
    """
    if getattr(sys.modules.get("dassl"), TAG, False):
        raise ConfigError(
            "mvlpt's own engine answers 'import dassl' in this process, because a plugin was loaded; call join_dassl() "
            "in a new process, before any plugin"
        )
    if importlib.machinery.PathFinder.find_spec("dassl.engine", _folder()) is None:
        raise MissingExtraError("Dassl is not installed: pip install 'mvlpt[dassl]'")
    disabled = logging.root.manager.disable
    engine = importlib.import_module("dassl.engine")
    datasets = importlib.import_module("dassl.data.datasets")
    logging.disable(disabled)  # a package that Dassl imports turns all messages off
    repair_dassl()
    load_shipped()
    load_entry_points()
    _offer(engine.TRAINER_REGISTRY, TRAINER_REGISTRY, lambda name: lambda cfg: _trainer(name, cfg, datasets))
    _offer(datasets.DATASET_REGISTRY, DATASET_REGISTRY, lambda name: lambda cfg: _dataset(name, cfg))


def extend_cfg(cfg: CfgNode) -> None:
    """Adds our options to Dassl's configuration, so that our YAML files and overrides merge into it."""
    fill(cfg, get_cfg_default())


def config_from_dassl(cfg: CfgNode) -> Config:
    """Our configuration with the values of Dassl's; options that are not ours are left out."""
    ours = get_cfg_default()
    known = ours.flat()
    ours.merge_from_list([word for pair in flatten(cfg) if pair[0] in known for word in pair], origin="Dassl's options")
    if not ours.RESUME and (Path(ours.OUTPUT_DIR) / "resume.pth.tar").is_file():
        ours.RESUME = ours.OUTPUT_DIR  # Dassl goes on by itself, too
    ours.freeze()
    return ours


def _folder() -> list[str]:
    spec = importlib.machinery.PathFinder.find_spec("dassl")
    return list(spec.submodule_search_locations or ()) if spec is not None else []


def _offer(theirs: Any, ours: Registry, build: Callable[[str], Any]) -> None:
    """Lets Dassl's registry find our entries behind its own."""
    if hasattr(theirs, OURS):
        return
    get, names = theirs.get, theirs.registered_names
    theirs.get = lambda name: get(name) if name in names() or name not in ours else build(name)
    theirs.registered_names = lambda: list(dict.fromkeys([*names(), *ours.registered_names()]))
    setattr(theirs, OURS, names)


def _trainer(name: str, cfg: CfgNode, datasets: Any) -> Any:
    own = config_from_dassl(cfg)
    for task in task_names(own):  # a data set that Dassl's users have registered is the one they mean
        if task in getattr(datasets.DATASET_REGISTRY, OURS)():
            DATASET_REGISTRY.register(datasets.DATASET_REGISTRY.get(task), True, name=task)
    own.defrost()
    own.TRAINER.NAME = name
    own.freeze()
    setup_logging(own.VERBOSE)
    print_results()
    return build_trainer(own)


def _dataset(name: str, cfg: CfgNode) -> Any:
    return build_dataset(config_from_dassl(cfg), name)
