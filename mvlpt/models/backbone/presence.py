"""Whether the weights of a backbone are on this machine, found without building a model."""

from __future__ import annotations

from pathlib import Path

from mvlpt.errors import BackboneError
from mvlpt.models.backbone.loading import _weights_in
from mvlpt.models.backbone.names import resolve_name
from mvlpt.models.backbone.weights import _in_hub_cache, _probe, _url_cache


def missing_weights(name: str, pretrained: str) -> str:
    """What is missing and the command that gets it; empty where the weights are here or can be downloaded.

    Args:
        name, pretrained: as for :func:`mvlpt.models.load_backbone`.
    """
    import open_clip

    try:
        resolved = resolve_name(name, pretrained)
        if resolved.folder is not None:
            _weights_in(resolved.folder)
    except BackboneError as error:
        return str(error)
    tag = resolved.weights
    if tag is None or Path(tag).expanduser().is_file():
        return ""
    entry = open_clip.get_pretrained_cfg(resolved.arch, tag)
    if not entry:
        return f"backbone '{name}' has no weights under the tag '{tag}', and there is no file of this name"
    cached = _url_cache(entry)
    if (cached is not None and cached.is_file()) or _in_hub_cache(entry):
        return ""
    try:
        _probe(entry)
    except OSError:  # open_clip cannot download them when the run begins
        return f"the weights '{tag}' of backbone '{name}', on a machine with a network: {_command(entry, cached)}"
    return ""


def _command(entry: dict, cached: Path | None) -> str:
    if entry.get("url"):
        return f"curl -L --create-dirs -o {cached} {entry['url']}"
    return f"huggingface-cli download {entry.get('hf_hub', '').strip('/')} open_clip_model.safetensors"
