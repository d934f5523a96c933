"""Building a backbone from its name and its weights, with errors that say which file goes where."""

from __future__ import annotations

import logging
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mvlpt.errors import BackboneError
from mvlpt.io import compare_states, first_line, not_finite
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.backbone.library_logs import suppress_logging
from mvlpt.models.backbone.local_config import check_parameters, read_local_config
from mvlpt.models.backbone.local_tokenizer import local_tokenizer, merges_in
from mvlpt.models.backbone.names import EMBEDDED, BackboneName, resolve_name
from mvlpt.models.backbone.uninitialised import Uninitialised
from mvlpt.models.backbone.weights import find_cached, preprocessing_of, read_weights

logger = logging.getLogger(__name__)
PRECISIONS = {
    "fp32": ("fp32", None),
    "bf16": ("bf16", torch.bfloat16),
    "fp16": ("fp16", torch.float16),
    "fp64": ("fp32", torch.float64),
}


def load_backbone(
    name: str,
    pretrained: str | Path | None = "",
    *,
    precision: str = "fp32",
    device: str | torch.device = "cpu",
) -> Backbone:
    """Builds an open_clip model, loads its weights, freezes it.

    Args:
        name: an open_clip architecture (``ViT-B-16``), CoOp's spelling (``ViT-B/16``: OpenAI's weights, QuickGELU),
            ``embedded`` (the small model in this package) or ``local-dir:FOLDER``.
        pretrained: a tag (``openai``, ``laion2b_s34b_b88k``), a file (safetensors, a state dict in open_clip's or
            OpenAI's key names, OpenAI's own archive), or ``""``/``"random"``/``None`` for random weights; without
            effect on ``embedded`` and folders, which have weights of their own.
        precision: ``fp32``; ``bf16`` or ``fp16`` keep the matrices in that type and layer norms in fp32, as
            open_clip does; ``fp64`` for numeric checks.
        device: where the model goes.

    Raises:
        BackboneError: unknown name or tag, weights missing, broken or of another shape.
    """
    if precision not in PRECISIONS:
        raise BackboneError(f"Precision '{precision}' is not one of {', '.join(PRECISIONS)}")
    resolved = resolve_name(name, None if pretrained is None else str(pretrained))
    if resolved.folder is not None:
        if pretrained:
            logger.warning(
                "Backbone '%s' has weights of its own; the pretrained ones '%s' are ignored", name, pretrained
            )
        weights = _weights_in(resolved.folder)
        check_parameters(resolved.folder, read_local_config(resolved.folder), weights)
        model, label = _build(resolved, precision), "" if resolved.asked == EMBEDDED else str(resolved.folder)
        _load_file(model, weights, resolved)
    elif resolved.weights is None:
        logger.warning("Backbone '%s' has random weights: no pretrained weights were asked for", name)
        model, label = _build(resolved, precision, random=True), ""
    elif Path(resolved.weights).expanduser().is_file():
        path, label = Path(resolved.weights).expanduser(), Path(resolved.weights).name
        state, from_openai = read_weights(path)
        model = _build(resolved, precision, quick_gelu=from_openai)
        _load_state(model, state, path, resolved)
    else:
        path, label = find_cached(resolved.arch, resolved.weights, name), resolved.weights
        model = _build(resolved, precision)
        _load_file(model, path, resolved)
    dtype = PRECISIONS[precision][1]
    if dtype is torch.float64:
        model.double()
    model.to(device)
    return Backbone(model, _tokenizer(resolved), name=name, pretrained=label)


def load_tokenizer(name: str) -> Any:
    """open_clip's tokenizer for a backbone, without its model; names as for :func:`load_backbone`.

    Raises:
        BackboneError: unknown name, or the tokenizer cannot be loaded.
    """
    return _tokenizer(resolve_name(name, None))


def _build(resolved: BackboneName, precision: str, *, quick_gelu: bool = False, random: bool = False) -> nn.Module:
    """The model, with random weights if they are asked for, else with whatever is in memory."""
    import open_clip

    with warnings.catch_warnings(), suppress_logging(), nullcontext() if random else Uninitialised():
        warnings.simplefilter("ignore")
        try:
            return open_clip.create_model(
                resolved.arch,
                pretrained=None,
                load_weights=False,
                precision=PRECISIONS[precision][0],
                force_quick_gelu=resolved.quick_gelu or quick_gelu,
                force_preprocess_cfg=preprocessing_of(resolved.arch, resolved.weights),
                pretrained_text=False,
            )
        except Exception as error:  # of sizes that contradict each other, or options it does not know: any
            reason = first_line(error)
            raise BackboneError(f"open_clip cannot build backbone '{resolved.asked}': {reason}") from error


def _load_file(model: nn.Module, path: Path, resolved: BackboneName) -> None:
    state, _ = read_weights(path)
    _load_state(model, state, path, resolved)


def _load_state(model: nn.Module, state: dict[str, Tensor], path: Path, resolved: BackboneName) -> None:
    """Loads strictly; a mismatch names the first keys and shapes that differ."""
    from open_clip.model import convert_to_custom_text_state_dict

    own = model.state_dict()
    if "positional_embedding" in state and "positional_embedding" not in own:
        state = convert_to_custom_text_state_dict(state)
    if "logit_scale" in state and state["logit_scale"].numel() == 1:
        state["logit_scale"] = state["logit_scale"].reshape(own["logit_scale"].shape)
    state.pop("text.transformer.embeddings.position_ids", None)
    if differences := compare_states(own, state):
        raise BackboneError(f"Weights {path} do not fit backbone '{resolved.asked}': {differences}")
    if bad := not_finite(state):
        raise BackboneError(f"Weights {path} hold values that are not finite, the first in '{bad[0]}'")
    model.load_state_dict(state, strict=True)


def _weights_in(folder: Path) -> Path:
    for pattern in ("open_clip_model.safetensors", "*.safetensors", "open_clip_pytorch_model.bin", "*.bin", "*.pt"):
        found = sorted(folder.glob(pattern))
        if found:
            return found[0]
    raise BackboneError(f"The folder {folder} holds no weights; place open_clip_model.safetensors there")


def _tokenizer(resolved: BackboneName) -> Any:
    """open_clip's tokenizer; a merges file in a local folder is found there."""
    import open_clip

    if resolved.folder is not None:
        text = read_local_config(resolved.folder)["model_cfg"]["text_cfg"]
        merges = merges_in(resolved.folder, text)
        if merges is not None and not text.get("hf_tokenizer_name"):
            return local_tokenizer(merges, text)
    with suppress_logging():
        try:
            return open_clip.get_tokenizer(resolved.arch)
        except Exception as error:  # open_clip raises whatever its download library raises
            reason = first_line(error)
            raise BackboneError(f"The tokenizer of backbone '{resolved.asked}' cannot be loaded: {reason}") from error
