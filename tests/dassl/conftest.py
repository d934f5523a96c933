"""Registries, plugins and torch's methods are as before after each test; two small folders of colours as data."""

import logging
import sys

import pytest
from PIL import Image

from mvlpt.cli import main
from mvlpt.config import checks
from mvlpt.dassl import no_gpu, plugins
from mvlpt.dassl.surface import SURFACE
from mvlpt.data import DATASET_REGISTRY, Datum
from mvlpt.engine import TRAINER_REGISTRY, load_shipped, registries
from mvlpt.engine.evaluation import EVALUATOR_REGISTRY
from mvlpt.engine.utils import ResultPrinter

OPTIONS = {
    "OPTIM.MAX_EPOCH": 3,
    "OPTIM.LR": 0.05,
    "INPUT.SIZE": "(16, 16)",
    "DATALOADER.NUM_WORKERS": 0,
    "RUN.TENSORBOARD": False,
    "DATALOADER.TRAIN_X.BATCH_SIZE": 2,
}


@pytest.fixture(autouse=True)
def clean_registries():
    load_shipped()
    kept = [TRAINER_REGISTRY._entries, DATASET_REGISTRY._entries, EVALUATOR_REGISTRY._entries]
    kept += [registries._OPTIONS, plugins._plugins, checks._OF_PLUGINS]
    before, module = [dict(table) for table in kept], Datum.__module__
    names = {name: sys.modules.get(name) for name in SURFACE}
    yield
    for table, content in zip(kept, before, strict=True):
        table.clear()
        table.update(content)
    no_gpu.refuse_gpu_calls()
    logger = logging.getLogger("mvlpt")
    logger.handlers = [handler for handler in logger.handlers if not isinstance(handler, ResultPrinter)]
    Datum.__module__ = module
    for name, found in names.items():
        sys.modules.pop(name, None)
        if found is not None:
            sys.modules[name] = found


@pytest.fixture
def colours(tmp_path):
    """The folder that holds ``colours``: eight pictures of each of two classes."""
    for name, level in (("dark", 40), ("light", 210)):
        (tmp_path / "data" / "colours" / name).mkdir(parents=True)
        for number in range(8):
            shade = (level + number, level, level - number)
            Image.new("RGB", (20, 20), shade).save(tmp_path / "data" / "colours" / name / f"{number}.png")
    return tmp_path / "data"


@pytest.fixture
def train(colours, tmp_path):
    """Runs ``mvlpt train`` with further words; returns its status."""

    def run(plugin, trainer, dataset, *words, run="run", root=colours, **options):
        given = [word for path in ([plugin] if not isinstance(plugin, list) else plugin) for word in ("--plugin", path)]
        line = ["train", *given, "--trainer", trainer, "--dataset", dataset, "--root", root, "--seed", 1]
        line += ["--output-dir", tmp_path / run, "--quiet", *words]
        pairs = {**OPTIONS, **{key.replace("__", "."): value for key, value in options.items()}}
        line += [word for pair in pairs.items() for word in pair]
        return main([str(word) for word in line])

    return run
