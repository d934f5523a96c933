"""Registries as they were before a test that loads plugins."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mvlpt.config import checks
from mvlpt.dassl import plugins
from mvlpt.data.datasets import DATASET_REGISTRY
from mvlpt.engine import EVALUATOR_REGISTRY, TRAINER_REGISTRY, load_shipped, registries
from mvlpt.graph import SIMILARITIES
from mvlpt.models.prompts import PROMPT_METHODS
from mvlpt.schedule import EXECUTORS

TABLES = [
    *(one._entries for one in (TRAINER_REGISTRY, DATASET_REGISTRY, EVALUATOR_REGISTRY, PROMPT_METHODS, EXECUTORS)),
    SIMILARITIES,
    registries._OPTIONS,
    plugins._plugins,
    checks._OF_PLUGINS,
]


@contextmanager
def restored_registries() -> Iterator[None]:
    """Forgets what plugins registered inside the block, their options and their modules; what ships stays."""
    load_shipped()  # a module is run once: what it registers inside the block would be gone for good
    before, modules = [dict(table) for table in TABLES], set(sys.modules)
    try:
        yield
    finally:
        for table, entries in zip(TABLES, before, strict=True):
            if dict(table) != entries:
                table.clear()
                table.update(entries)
        for name in set(sys.modules) - modules:
            if name.startswith("mvlpt_plugin"):
                del sys.modules[name]
