"""Tiny tasks with real image files, and configs that name them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mvlpt.config import get_cfg_default
from mvlpt.data import DATASET_REGISTRY, DatasetBase, Datum


def png(value: int, size: tuple[int, int] = (20, 16)) -> bytes:
    """An image whose pixels depend on ``value``."""
    pixels = np.random.default_rng(value).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    page = io.BytesIO()
    Image.fromarray(pixels).save(page, "PNG")
    return page.getvalue()


@pytest.fixture(name="png")
def _png():
    return png


@pytest.fixture
def make_cfg():
    """A config of small images; keyword ``DATASET_NAME`` sets ``DATASET.NAME`` and so on."""

    def make(**options):
        cfg = get_cfg_default()
        cfg.SEED, cfg.VERBOSE, cfg.USE_CUDA = 1, False, False
        cfg.INPUT.SIZE = (16, 16)
        cfg.INPUT.TRANSFORMS = ("random_resized_crop", "random_flip", "normalize")
        cfg.DATALOADER.NUM_WORKERS = 0
        cfg.DATALOADER.TRAIN_X.BATCH_SIZE = 4
        cfg.DATALOADER.TEST.BATCH_SIZE = 5
        for key, value in options.items():
            node, path = cfg, key.split("__")
            for part in path[:-1]:
                node = node[part]
            node[path[-1]] = value
        cfg.freeze()
        return cfg

    return make


@pytest.fixture
def make_items(tmp_path: Path):
    """Items of one split, their images in one archive."""

    def make(name: str = "split", classes: int = 3, per_class: int = 4, first: int = 0) -> list[Datum]:
        archive = tmp_path / f"{name}.zip"
        items = []
        with zipfile.ZipFile(archive, "w") as pages:
            for number in range(classes * per_class):
                pages.writestr(f"{number}.png", png(first + number))
                label = number % classes
                items.append(Datum(f"{archive}@{number}.png", label, classname=f"{name} {label}"))
        return items

    return make


@pytest.fixture
def make_task(make_items, request):
    """Registers a Dassl-style task for the time of a test."""

    def make(name: str, classes: int = 3, per_class: int = 6, **fields):
        train = make_items(f"{name}-train", classes, per_class, first=1000)
        test = make_items(f"{name}-test", classes, 3, first=2000)
        val = fields.pop("val", None)
        val = make_items(f"{name}-val", classes, 5, first=3000) if val is None else val
        names = [f"{name} {label}" for label in range(classes)]

        class Task(DatasetBase):
            def __init__(self, cfg):
                chosen = train
                if not self.multi_label:
                    chosen = self.generate_fewshot_dataset(train, num_shots=cfg.DATASET.NUM_SHOTS)
                super().__init__(train_x=chosen, val=val, test=test, classnames=names)

        for field, value in fields.items():
            setattr(Task, field, value)
        if fields.get("multi_label"):
            train[:] = [Datum(item.impath, {item.label, (item.label + 1) % classes}) for item in train]
            test[:] = [Datum(item.impath, (item.label,)) for item in test]
            val[:] = [Datum(item.impath, (item.label,)) for item in val]
        DATASET_REGISTRY.register(Task, name=name)
        request.addfinalizer(lambda: DATASET_REGISTRY._entries.pop(name))
        return Task

    return make
