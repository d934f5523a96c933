"""Public implementations of methods, loaded as they are from the folder ``MVLPT_PUBLIC_CODE``; none is kept."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor

from mvlpt.api.configuration import resolve_config
from mvlpt.dassl import load_plugin
from mvlpt.dassl.no_gpu import accept_gpu_calls, refuse_gpu_calls
from mvlpt.engine import TRAINER_REGISTRY, Resources
from mvlpt.models import Backbone
from support.public_code import FOLDER
from support.registries import restored_registries

NO_CODE = pytest.mark.skipif(not FOLDER.parts, reason="MVLPT_PUBLIC_CODE names no folder with public repositories")
PUBLIC = (pytest.mark.public, NO_CODE)
PETS = ("abyssinian", "beagle", "birman")


def repository(name: str) -> Path:
    """A repository's folder; skips the test where there is none."""
    if not (FOLDER / name).is_dir():
        pytest.skip(f"MVLPT_PUBLIC_CODE names no folder with {name}")
    return FOLDER / name


@contextmanager
def without_gpu() -> Iterator[None]:
    """Calls of ``.cuda()`` and ``.half()`` leave tensors as they are."""
    accept_gpu_calls()
    try:
        yield
    finally:
        refuse_gpu_calls()


@contextmanager
def plugin(file: Path) -> Iterator[None]:
    """A public trainer is registered inside the block, perhaps in the place of ours."""
    with restored_registries(), without_gpu():
        load_plugin(file)
        yield


def names_of(trainer: str) -> dict[str, Any]:
    """The names in the module of a registered trainer."""
    return TRAINER_REGISTRY.get(trainer).build_model.__globals__


@contextmanager
def script(folder: Path, name: str, stubs: Iterable[str]) -> Iterator[types.ModuleType]:
    """A module of a repository that is no package; what it imports of ``stubs`` is empty."""
    own = {name, *stubs, *(path.stem for path in folder.glob("*.py"))}
    before = {one: sys.modules.pop(one) for one in own if one in sys.modules}
    sys.modules.update({one: _Anything(one) for one in stubs})
    sys.path.insert(0, str(folder))
    try:
        with without_gpu():
            yield importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
        for one in own:
            sys.modules.pop(one, None)
        sys.modules.update(before)


def package_module(folder: Path, name: str) -> types.ModuleType:
    """A module of a package, whose ``__init__`` does not run."""
    package = types.ModuleType(f"public_{folder.name}")
    package.__path__ = [str(folder)]
    sys.modules[package.__name__] = package
    return importlib.import_module(f"{package.__name__}.{name}")


class _Anything(types.ModuleType):
    """A module that has every name."""

    __path__: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


def settings(trainer: str, root: Path, weights: Path, output: Path, **options: Any) -> Any:
    """A run on three breeds of pets with two-block towers of CLIP's width, in single precision."""
    given = {
        "TRAINER.NAME": trainer,
        "DATASET.NAME": "OxfordPets",
        "DATASET.DATASET": "OxfordPets",
        "DATASET.ROOT": str(root),
        "DATASET.NUM_SHOTS": 2,
        "MODEL.BACKBONE.NAME": "ViT-B/16",
        "MODEL.BACKBONE.PRETRAINED": str(weights),
        "INPUT.SIZE": "(32,32)",
        "INPUT.TRANSFORMS": "('normalize',)",
        "DATALOADER.NUM_WORKERS": 0,
        "DATALOADER.TRAIN_X.BATCH_SIZE": 4,
        "OPTIM.NAME": "sgd",
        "OPTIM.MOMENTUM": 0.0,
        "OPTIM.WEIGHT_DECAY": 0.0,
        "RUN.TENSORBOARD": False,
        "VERBOSE": False,
        "SEED": 1,
        "OUTPUT_DIR": str(output),
        **{key.replace("__", "."): value for key, value in options.items()},
    }
    return resolve_config(options={}, overrides=[word for pair in given.items() for word in pair])


def two_blocks(weights: Path) -> Resources:
    """The backbone that :func:`settings` names, from weights two blocks deep."""
    state = {key: value.float() for key, value in torch.load(weights, weights_only=True).items()}
    model = open_clip.model.build_model_from_openai_state_dict(state, cast_dtype=torch.float32).float()
    model.visual.image_mean, model.visual.image_std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    backbone = Backbone(model, open_clip.get_tokenizer("ViT-B-16"), name="ViT-B/16")
    return Resources(backbones={("ViT-B/16", str(weights), "cpu", "fp32"): backbone})


def step(trainer: Any, batch: dict[str, Any]) -> dict[str, float]:
    """One training step; the gradients stay."""
    trainer.set_model_mode("train")
    trainer.batch_idx, trainer.num_batches, trainer.epoch = 0, 2, 0
    return trainer.forward_backward(batch)


def random_batch() -> dict[str, Any]:
    """Four images (4, 3, 32, 32) of three classes."""
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    zeros = torch.zeros(4, dtype=torch.long)
    return {"img": images, "label": torch.tensor([0, 1, 2, 1]), "task": zeros, "domain": zeros}


def assert_logits(ours: Tensor, public: Tensor) -> None:
    """Equal within 1e-4 of the logits' size."""
    assert (ours - public).detach().abs().max() <= 1e-4 * max(1.0, float(public.detach().abs().max()))


def assert_gradient(ours: Tensor | None, public: Tensor | None, tolerance: float = 1e-3) -> None:
    """Equal within 1e-3 of their length, and not zero."""
    assert ours is not None
    assert public is not None
    assert public.norm() > 0
    assert (ours - public.reshape(ours.shape)).norm() <= tolerance * public.norm()
