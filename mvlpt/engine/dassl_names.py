"""Dassl's module names for code that imports them: where Dassl is not installed, they lead to this engine.

``from dassl.engine import TRAINER_REGISTRY, TrainerX`` in a plugin then registers with our registry and trains with our
engine. Where Dassl is installed nothing is touched.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types

# Each name leads to the very module, so that there is one registry and not two.
ALIASES = {
    "dassl.config": "mvlpt.config",
    "dassl.data": "mvlpt.data",
    "dassl.data.data_manager": "mvlpt.data.data_manager",
    "dassl.data.datasets": "mvlpt.data.datasets",
    "dassl.data.samplers": "mvlpt.data.sampling.samplers",
    "dassl.data.transforms": "mvlpt.data.loading.transforms",
    "dassl.engine": "mvlpt.engine",
    "dassl.evaluation": "mvlpt.engine.evaluation",
    "dassl.metrics": "mvlpt.engine.metrics",
    "dassl.optim": "mvlpt.engine.optim",
    "dassl.utils": "mvlpt.engine.utils",
}


def provide_dassl_names() -> bool:
    """Makes ``import dassl`` work.

    Returns:
        Whether the names lead here; false where Dassl itself is installed.
    """
    present = sys.modules.get("dassl")
    if present is not None:
        return getattr(present, "__mvlpt__", False)
    if importlib.util.find_spec("dassl") is not None:
        return False
    package = types.ModuleType("dassl", "Dassl's names for mvlpt's engine.")
    package.__path__ = []  # a package, of which nothing lies on disk
    package.__mvlpt__ = True
    sys.modules["dassl"] = package
    for name, target in ALIASES.items():
        module = importlib.import_module(target)
        sys.modules[name] = module
        parent, _, leaf = name.rpartition(".")
        if parent == "dassl":
            setattr(package, leaf, module)
    return True
