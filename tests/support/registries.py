"""Registries as they were before a test that loads plugins."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mvlpt.engine import TRAINER_REGISTRY, load_shipped
from mvlpt.models.prompts import PROMPT_METHODS


@contextmanager
def restored_registries() -> Iterator[None]:
    """Removes the trainers, prompt methods and plugin modules that the block added; what ships stays."""
    load_shipped()  # a module is run once: what it registers inside the block would be gone for good
    registries = [(registry, dict(registry._entries)) for registry in (TRAINER_REGISTRY, PROMPT_METHODS)]
    modules = set(sys.modules)
    try:
        yield
    finally:
        for registry, entries in registries:
            registry._entries.clear()
            registry._entries.update(entries)
        for name in set(sys.modules) - modules:
            if name.startswith("mvlpt_plugin_"):
                del sys.modules[name]
