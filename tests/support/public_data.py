"""CoOp's fifteen data sets in miniature, in the layouts that its own files read."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.mini_coop import WORDNET, write_raw, write_split_file

FILES = {
    "caltech101": "Caltech101",
    "dtd": "DescribableTextures",
    "eurosat": "EuroSAT",
    "fgvc_aircraft": "FGVCAircraft",
    "food101": "Food101",
    "imagenet": "ImageNet",
    "imagenet_a": "ImageNetA",
    "imagenet_r": "ImageNetR",
    "imagenet_sketch": "ImageNetSketch",
    "imagenetv2": "ImageNetV2",
    "oxford_flowers": "OxfordFlowers",
    "oxford_pets": "OxfordPets",
    "stanford_cars": "StanfordCars",
    "sun397": "SUN397",
    "ucf101": "UCF101",
}
WITHOUT_SPLIT_FILE = ("FGVCAircraft", *(name for name in FILES.values() if name.startswith("ImageNet")))


def write_data(root: Path, *, raw: bool) -> Path:
    """All data sets.

    Args:
        root: ``DATASET.ROOT``.
        raw: as their authors distribute them; otherwise with the split files that CoOp shares.
    """
    for name in FILES.values():
        if raw or name in WITHOUT_SPLIT_FILE:
            write_raw(root, name)
        else:
            write_split_file(root, name)
    _complete_imagenets(root)
    return root


def _complete_imagenets(root: Path) -> None:
    """A thousand names, and folders of classes without an image, which ``imagenetv2.py`` counts on."""
    names = [*WORDNET.items(), *((f"n9{number:07d}", f"class {number}") for number in range(3, 1000))]
    for folder in ("imagenet", "imagenetv2", "imagenet-sketch", "imagenet-adversarial", "imagenet-rendition"):
        (root / folder / "classnames.txt").write_text("".join(f"{key} {name}\n" for key, name in names))
    images = root / "imagenetv2" / "imagenetv2-matched-frequency-format-val"
    for label in range(1000):
        (images / str(label)).mkdir(exist_ok=True)


def forget(root: Path, *, raw: bool) -> None:
    """Deletes what the data sets have kept: samples, lists and, of raw data, the splits that they have made."""
    for folder in root.glob("*/split_fewshot"):
        shutil.rmtree(folder)
    for pattern in ("*/preprocessed.pkl", *(["*/split_zhou_*.json"] if raw else [])):
        for file in root.glob(pattern):
            file.unlink()


DUMP = """
import json
import random
import sys

HEAD
from yacs.config import CfgNode as CN

root, target, kinds, seeds = sys.argv[1], sys.argv[2], sys.argv[3].split(","), json.loads(sys.argv[4])
listed = {}
for seed in seeds:
    for shots in (2, 1, 16, -1):
        for classes in ("all", "base", "new"):
            for name in kinds:
                cfg = CN(dict(SEED=seed, VERBOSE=False, DATASET=CN(dict(
                    NAME=name, DATASET="", ROOT=root, NUM_SHOTS=shots, SUBSAMPLE_CLASSES=classes))))
                seed_everything(seed)
                data = build(cfg)
                more = data.generate_fewshot_dataset(data.test, num_shots=1) if shots > 0 else []
                rows = [[(i.impath, i.label, i.domain, i.classname) for i in part or ()]
                        for part in (data.train_x, data.val, data.test, more)]
                rows.append([data.num_classes, data.classnames, sorted(data.lab2cname.items()),
                             type(data.train_x[0]).__module__])
                listed[f"{name} {seed} {shots} {classes}"] = rows
json.dump(listed, open(target, "w"))
"""
HEAD_DASSL = """
sys.path.insert(0, CODE)
import datasets
import importlib
for file in FILES:
    importlib.import_module("datasets." + file)
from dassl.data.datasets import build_dataset as build
from dassl.utils import set_random_seed as seed_everything
assert "mvlpt" not in sys.modules
"""
HEAD_OURS = """
import os
from mvlpt.dassl import load_plugin
for file in FILES:
    load_plugin(os.path.join(CODE, "datasets", file + ".py"))
from mvlpt.data.datasets import build_dataset as build
def seed_everything(seed):
    pass
"""


def dump_program(code: Path, *, ours: bool) -> str:
    """A program that writes what each data set gives for several seeds, shots and halves of the classes.

    Its words are the root, the file it writes, the names, and the seeds as a JSON list.

    Args:
        code: the public repository with ``datasets``.
        ours: build them on this engine; otherwise with an installed Dassl.
    """
    head = (HEAD_OURS if ours else HEAD_DASSL).replace("CODE", repr(str(code))).replace("FILES", repr(list(FILES)))
    return DUMP.replace("HEAD", head)
