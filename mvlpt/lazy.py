"""Packages whose names are imported when first used, so that a tool which only reads a table loads no torch."""

from __future__ import annotations

import gc
import importlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


def lazy_exports(
    package: str, homes: Mapping[str, str], renamed: Mapping[str, str] | None = None
) -> Callable[[str], Any]:
    """A module-level ``__getattr__`` (PEP 562) for a package's ``__init__``.

    Args:
        package: its ``__name__``.
        homes: exported name to the module that defines it, relative to the package.
        renamed: former name to the exported name that replaces it; using one gives a ``DeprecationWarning``.
    """
    former = renamed or {}

    def __getattr__(name: str) -> Any:  # noqa: N807 - the name that Python looks for
        if name in former:
            new = former[name]
            warnings.warn(f"{package}.{name} is now called {new}", DeprecationWarning, stacklevel=2)
            name = new
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        with _no_collections():
            return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return __getattr__


@contextmanager
def _no_collections() -> Iterator[None]:
    """Context without garbage collections: what loading torch makes stays, and each would look through all of it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
