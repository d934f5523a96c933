"""The shipped data sets. Importing this package registers them; their tables are read when a name is asked for."""

import warnings
from types import ModuleType

from mvlpt.datasets import coop, custom, elevater, embedded

__all__ = ["coop", "custom", "elevater", "embedded"]


def __getattr__(name: str) -> ModuleType:
    if name == "own":
        warnings.warn("mvlpt.datasets.own is now called custom", DeprecationWarning, stacklevel=2)
        return custom
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
