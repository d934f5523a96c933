"""Modules under Dassl's names that lead to this engine: one object for each name, whatever module it is imported from.

Who answers ``import dassl``:

- ``import mvlpt`` changes nothing: ``import dassl`` finds the installed Dassl, or fails.
- Code that a plugin brings always gets this engine as ``dassl``, whether Dassl is installed or not.
- After :func:`provide_dassl_names`, which the tools call when they load a plugin, everybody in the process gets this
  engine, unless the installed Dassl was imported before; then that stays, and only plugins get the engine.

Where Dassl is installed, its modules that have no counterpart here (``dassl.engine.dg``, ``dassl.modeling.ops``, ...)
are read from its folder and run on this engine.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import types
from pathlib import Path
from typing import Any

from mvlpt.dassl.surface import AUTHOR, HOMEPAGE, SURFACE, VERSION, names_of
from mvlpt.data import Datum
from mvlpt.registry import watched_registrations

TAG = "__mvlpt__"  # the attribute by which our module named dassl is known
DATUM_MODULE = "dassl.data.datasets.base_dataset"  # where Dassl has its class of that name
FALLBACKS = {
    "dassl.engine": ("dg", "da", "ssl"),
    "dassl.data.datasets": ("dg", "da", "ssl"),
    "dassl.modeling.network": ("ddaig_fcn",),
    "dassl.modeling.backbone": (
        *("resnet", "alexnet", "vgg", "efficientnet", "wide_resnet", "preact_resnet18"),
        *("cnn_digitsdg", "cnn_digitsingle", "cnn_digit5_m3sda"),
    ),
}
_modules: dict[str, types.ModuleType] = {}


def dassl_modules() -> dict[str, types.ModuleType]:
    """Our modules by Dassl's names, made at the first call. Nothing is imported and ``sys.modules`` is not changed."""
    if not _modules:
        folder = installed_folder()
        for name in SURFACE:
            _modules[name] = _module(name, folder)
        for name, module in list(_modules.items()):
            parent, _, leaf = name.rpartition(".")
            if parent:
                setattr(_modules[parent], leaf, module)
    return _modules


def installed_folder() -> Path | None:
    """The folder of an installed Dassl, found without importing it; ``None`` where there is none."""
    spec = importlib.machinery.PathFinder.find_spec("dassl")
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def provide_dassl_names() -> bool:
    """Makes ``import dassl`` lead here for the whole process.

    Returns:
        Whether it does; false where the installed Dassl has been imported before.
    """
    present = sys.modules.get("dassl")
    if present is not None and not getattr(present, TAG, False):
        return False
    Datum.__module__ = DATUM_MODULE  # so that pickles of items can be read by Dassl
    sys.modules.update({name: module for name, module in dassl_modules().items() if name not in sys.modules})
    return True


def _module(name: str, folder: Path | None) -> types.ModuleType:
    module = types.ModuleType(name, f"mvlpt's engine under the name {name}.")
    setattr(module, TAG, True)
    targets = names_of(name)
    children = [other for other in SURFACE if other.startswith(name + ".")]
    if children or name == "dassl":
        part = folder.joinpath(*name.split(".")[1:]) if folder is not None else None
        module.__path__ = [str(part)] if part is not None and part.is_dir() else []
    module.__all__ = [target for target in targets if not target.startswith("_")]
    if name == "dassl":
        module.__version__ = VERSION
        module.__author__, module.__homepage__ = AUTHOR, HOMEPAGE

    def find(attribute: str) -> Any:
        if attribute in targets:
            value = getattr(importlib.import_module(targets[attribute]), attribute)
        elif attribute.startswith("__"):
            raise AttributeError(f"module '{name}' has no attribute '{attribute}'")
        else:
            value = _from_installed(name, attribute)
        setattr(module, attribute, value)
        return value

    module.__getattr__ = find
    module.__dir__ = lambda: sorted({*vars(module), *targets})
    return module


def _from_installed(name: str, attribute: str) -> Any:
    """A name that only the installed Dassl has: looked for in the parts of it that this engine does not replace."""
    if installed_folder() is not None and sys.modules.get(name) is _modules.get(name):
        for part in FALLBACKS.get(name, ()):
            found = getattr(import_installed(f"{name}.{part}"), attribute, None)
            if found is not None:
                return found
    raise AttributeError(f"module '{name}' has no attribute '{attribute}' (mvlpt's engine under Dassl's name)")


def import_installed(name: str) -> types.ModuleType:
    """A module of the installed Dassl on this engine; names that it registers may be ours, as ``resnet18`` is."""
    with watched_registrations(lambda registry, entry_name, entry: True):
        return importlib.import_module(name)
