"""Reading weight files without executing code from them, and finding the files of known tags on this machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from torch import Tensor

from mvlpt.errors import BackboneError, suggest
from mvlpt.io import (
    first_line,
    is_script_archive,
    open_tensors,
    read_script_archive,
    read_tensors,
    strip_wrappers,
)
from mvlpt.models.backbone.library_logs import suppress_logging

_NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")


def read_weights(path: Path) -> tuple[dict[str, Tensor], bool]:
    """Reads a state dict in open_clip's or OpenAI's key names.

    Args:
        path: safetensors, a pickled state dict (read with ``weights_only``), or OpenAI's TorchScript archive.

    Returns:
        The tensors by name, and whether the file is in OpenAI's form (whose models use QuickGELU).

    Raises:
        BackboneError: not a readable weight file.
    """
    if path.suffix == ".safetensors":
        with open_tensors(path, error=BackboneError, missing=f"There are no weights {path}") as file:
            state = file.tensors()
    else:
        state = read_script_archive(path) if is_script_archive(path) else read_tensors(path, error=BackboneError)
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not state:
        raise BackboneError(f"{path} holds no state dict")
    from_openai = any(key in state for key in _NOT_WEIGHTS)
    tensors = {str(key): value for key, value in state.items() if key not in _NOT_WEIGHTS}
    if not all(isinstance(value, Tensor) for value in tensors.values()):
        raise BackboneError(f"{path} holds values that are not tensors")
    return strip_wrappers(tensors, source=str(path)), from_openai


def find_cached(arch: str, tag: str, asked: str) -> Path:
    """The local file of a known tag, downloaded by open_clip where there is a network.

    Args:
        arch: open_clip's architecture.
        tag: open_clip's name of the weights.
        asked: the backbone's name as the user wrote it.

    Raises:
        BackboneError: unknown tag, or neither a file nor a network; the message says which file goes where.
    """
    import open_clip

    entry = open_clip.get_pretrained_cfg(arch, tag)
    if not entry:
        tags = open_clip.list_pretrained_tags_by_model(arch)
        looks_like_file = os.sep in tag or tag.endswith((".pt", ".pth", ".bin", ".safetensors"))
        if looks_like_file:
            raise BackboneError(f"No weights for backbone '{asked}': there is no file {tag}")
        raise BackboneError(
            f"Backbone '{asked}' has no weights under the tag '{tag}'{suggest(tag, tags)}; "
            "set MODEL.BACKBONE.PRETRAINED to a tag or to the path of a file"
        )
    by_hand = _url_cache(entry)
    if by_hand is not None and by_hand.is_file() and (tag == "openai" or not _in_hub_cache(entry)):
        return by_hand
    from open_clip.pretrained import download_pretrained

    try:
        if not _in_hub_cache(entry):
            _probe(entry)
        with suppress_logging():
            found = download_pretrained(entry)
    except Exception as error:  # whatever the download library raises: there is one remedy
        raise BackboneError(_how_to_get(asked, tag, entry, by_hand, error)) from error
    return Path(found)


def preprocessing_of(arch: str, tag: str | None) -> dict[str, Any] | None:
    """How images are prepared for the weights under a tag, where open_clip's table says so."""
    import open_clip

    entry = (open_clip.get_pretrained_cfg(arch, tag) if tag else None) or {}
    keys = ("mean", "std", "interpolation", "resize_mode")
    return {key: entry[key] for key in keys if key in entry} or None


def _in_hub_cache(entry: dict) -> bool:
    """Whether open_clip's download would find its file in the local cache of the hub."""
    if not entry.get("hf_hub"):
        return False
    from huggingface_hub import try_to_load_from_cache

    repo = entry["hf_hub"].strip("/")
    names = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
    return any(isinstance(try_to_load_from_cache(repo, name), str) for name in names)


def _probe(entry: dict) -> None:
    """Fails immediately without a network, instead of after the hub's minute of retries."""
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        raise ConnectionError("HF_HUB_OFFLINE is set")
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HF_ENDPOINT")):
        return
    host = "huggingface.co" if entry.get("hf_hub") else urlsplit(entry["url"]).hostname
    try:
        socket.create_connection((host, 443), timeout=5).close()
    except OSError as error:
        raise ConnectionError(f"no connection to {host}") from error


def _url_cache(entry: dict) -> Path | None:
    """Where OpenAI's CLIP and open_clip keep what they download from the address of an entry, if it has one."""
    url = entry.get("url")
    return Path("~/.cache/clip").expanduser() / Path(url).name if url else None


def _how_to_get(asked: str, tag: str, entry: dict, by_hand: Path | None, error: Exception) -> str:
    source = entry.get("url") or f"https://huggingface.co/{entry.get('hf_hub', '').strip('/')}"
    target = f"at {by_hand}" if by_hand is not None else "anywhere"
    return (
        f"The weights '{tag}' of backbone '{asked}' are not on this machine and cannot be downloaded"
        f" ({first_line(error, 160)}); place {source} {target}, or"
        " set MODEL.BACKBONE.PRETRAINED to the path of that file"
    )
