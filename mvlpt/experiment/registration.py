"""Trainers and data sets are registered before an experiment's names are looked up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mvlpt.dassl import load_installed_plugins, load_plugin, offer_installed
from mvlpt.engine import load_shipped


def register(plugins: Sequence[str | Path] = ()) -> None:
    """Registers the shipped trainers and data sets, those of installed packages, of Dassl too, and of some files.

    Raises:
        ConfigError: a plugin is missing or fails.
    """
    load_shipped()
    load_installed_plugins()
    offer_installed()
    for file in plugins:
        load_plugin(file)
