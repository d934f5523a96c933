"""OpenAI's ``clip`` over open_clip, for plugins that bring none, where none is installed."""

from __future__ import annotations

import types
from functools import partial

from mvlpt.dassl.clip.weights import ModelTable, weights_file


def clip_modules() -> dict[str, types.ModuleType]:
    """Modules named ``clip``, ``clip.clip``, ``clip.model`` and ``clip.simple_tokenizer``."""
    from mvlpt.dassl.clip import api, model, tokenizer

    public = {name: getattr(api, name) for name in ("available_models", "load", "tokenize")}
    inner = {
        "_MODELS": ModelTable(),
        "_download": partial(weights_file, for_shim=True),
        "_tokenizer": tokenizer.SimpleTokenizer(),
        "_transform": api.image_transform,
        "build_model": model.build_model,
    }
    built = {"CLIP": model.OpenAIShape, "build_model": model.build_model, "convert_weights": model.convert_weights}
    modules = {
        "clip": _module("clip", public),
        "clip.clip": _module("clip.clip", {**public, **inner}),
        "clip.model": _module("clip.model", built),
        "clip.simple_tokenizer": _module("clip.simple_tokenizer", {"SimpleTokenizer": tokenizer.SimpleTokenizer}),
    }
    modules["clip"].__path__ = []
    for name in ("clip", "model", "simple_tokenizer"):
        setattr(modules["clip"], name, modules[f"clip.{name}"])
    return modules


def _module(name: str, content: dict[str, object]) -> types.ModuleType:
    module = types.ModuleType(name, "OpenAI's clip over open_clip (mvlpt).")
    vars(module).update(content)
    module.__all__ = [one for one in content if not one.startswith("_")]
    return module
