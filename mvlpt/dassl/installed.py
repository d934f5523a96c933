"""Trainers, data sets and networks of an installed Dassl, on this engine.

Their files are found in Dassl's folder without importing it; a name that is asked for loads its file with this engine
in the place of ``dassl``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mvlpt.dassl.names import import_installed, installed_folder, provide_dassl_names
from mvlpt.dassl.options import add_options, fill
from mvlpt.data.datasets import DATASET_REGISTRY
from mvlpt.errors import ConfigError
from mvlpt.registry import Registry

_offered: list[bool] = []


def offer_installed() -> None:
    """Adds what an installed Dassl has to the registries, behind what is there already. Nothing of it is imported."""
    if _offered or installed_folder() is None:
        return
    _offered.append(True)
    for registry, word, parts in _parts():
        registry.register_family(lambda word=word, parts=parts: _found(word, parts), _builder(registry, word, parts))
    from mvlpt.engine import register_options

    register_options("dassl", _add_options)


def _add_options(cfg: Any, trainer: str) -> None:
    """Adds the options of Dassl's trainers, such as ``TRAINER.FIXMATCH``, where the run's trainer is one of them."""
    from mvlpt.engine import TRAINER_REGISTRY

    folder = installed_folder()
    if folder is None or trainer not in TRAINER_REGISTRY:
        return
    kinds = getattr(TRAINER_REGISTRY.get(trainer), "__mro__", ())
    if any(kind.__module__.startswith("dassl.engine.") for kind in kinds):
        file = folder / "config" / "defaults.py"
        space: dict[str, Any] = {"__name__": "dassl_defaults"}
        exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), space)
        add_options(cfg, lambda extended: fill(extended, space["_C"]), defaults=False)


def _parts() -> Iterator[tuple[Registry, str, tuple[str, ...]]]:
    """Each registry, its name in Dassl, and the folders whose files fill it."""
    from mvlpt.engine import BACKBONE_REGISTRY, NETWORK_REGISTRY, TRAINER_REGISTRY  # loads torch

    yield TRAINER_REGISTRY, "TRAINER_REGISTRY", ("engine/da", "engine/dg", "engine/ssl")
    yield DATASET_REGISTRY, "DATASET_REGISTRY", ("data/datasets/da", "data/datasets/dg", "data/datasets/ssl")
    yield BACKBONE_REGISTRY, "BACKBONE_REGISTRY", ("modeling/backbone",)
    yield NETWORK_REGISTRY, "NETWORK_REGISTRY", ("modeling/network",)


def _builder(registry: Registry, word: str, parts: tuple[str, ...]) -> Callable[[str], Any]:
    def build(name: str) -> Any:
        if not provide_dassl_names():
            raise ConfigError(
                f"The installed Dassl was imported in this process before, so its {registry.kind} '{name}' cannot run "
                "on this engine; do not import dassl before mvlpt, or build it with Dassl's own functions"
            )
        module = import_installed(_found(word, parts)[name])
        return getattr(module, name)

    return build


def _found(word: str, parts: tuple[str, ...]) -> dict[str, str]:
    folder = installed_folder()
    return _registered(folder, word, parts) if folder is not None else {}


@cache
def _registered(folder: Path, word: str, parts: tuple[str, ...]) -> dict[str, str]:
    """Registered name to module, read from the text of Dassl's files."""
    pattern = re.compile(rf"^@{word}\.register\(\)\s*\n(?:class|def) (\w+)", re.MULTILINE)
    found: dict[str, str] = {}
    for part in parts:
        for file in sorted((folder / part).rglob("*.py")):
            module = ".".join(("dassl", *file.relative_to(folder).with_suffix("").parts))
            found.update(dict.fromkeys(pattern.findall(file.read_text(encoding="utf-8")), module))
    return found
