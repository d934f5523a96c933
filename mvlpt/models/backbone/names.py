"""What a backbone's name means: open_clip's names, CoOp's spelling, the embedded model, local folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mvlpt.errors import BackboneError, suggest

EMBEDDED = "embedded"
LOCAL_DIR = "local-dir:"
# CoOp and upstream MVLPT write OpenAI's names; the weights are OpenAI's, and therefore QuickGELU.
COOP_NAMES = {
    "RN50": "RN50",
    "RN101": "RN101",
    "RN50x4": "RN50x4",
    "RN50x16": "RN50x16",
    "RN50x64": "RN50x64",
    "ViT-B/32": "ViT-B-32",
    "ViT-B/16": "ViT-B-16",
    "ViT-L/14": "ViT-L-14",
    "ViT-L/14@336px": "ViT-L-14-336",
}
RANDOM = ("", "random", None)


@dataclass(frozen=True)
class BackboneName:
    """A resolved name.

    Attributes:
        asked: the name that the user gave.
        arch: open_clip's name of the architecture, or ``local-dir:FOLDER``.
        weights: tag, path of a file, or ``None`` for random weights (or those in the folder).
        quick_gelu: force QuickGELU whatever the architecture's configuration says.
        folder: the local folder, if the name is one.
    """

    asked: str
    arch: str
    weights: str | None
    quick_gelu: bool = False
    folder: Path | None = None


def embedded_folder() -> Path:
    """The folder of the model that is shipped with the package."""
    return Path(__file__).resolve().parents[2] / "assets" / "model"


def resolve_name(name: str, pretrained: str | None) -> BackboneName:
    """Finds architecture and weights.

    Args:
        name: an open_clip architecture, CoOp's spelling with a slash, ``embedded``, or ``local-dir:FOLDER``.
        pretrained: a tag, a file, or ``None``, ``""`` or ``"random"`` for random weights; a name in CoOp's spelling
            takes OpenAI's weights for ``""``.

    Raises:
        BackboneError: nothing of that name.
    """
    if not isinstance(name, str) or not name:
        raise BackboneError(f"A backbone needs a name such as 'ViT-B-16', not {name!r}")
    if name == EMBEDDED:
        return _local(name, embedded_folder())
    if name.startswith(LOCAL_DIR):
        return _local(name, Path(name[len(LOCAL_DIR) :]).expanduser())
    if "/" in name and name in COOP_NAMES:
        weights = "openai" if pretrained == "" else _weights(pretrained)
        return BackboneName(name, COOP_NAMES[name], weights, quick_gelu=True)
    arch = known_architecture(name)
    weights = _weights(pretrained)
    return BackboneName(name, arch, weights, quick_gelu=weights is not None and tag_wants_quick_gelu(arch, weights))


def known_architecture(name: str) -> str:
    """open_clip's name for ``name``, slashes read as dashes.

    Raises:
        BackboneError: open_clip has no such architecture.
    """
    import open_clip

    arch, known = name.replace("/", "-"), open_clip.list_models()
    if arch not in known:
        hint = suggest(arch, [*known, *COOP_NAMES, EMBEDDED])
        raise BackboneError(f"No backbone is named '{name}'{hint or '; see open_clip.list_models()'}")
    return arch


def tag_wants_quick_gelu(arch: str, weights: str) -> bool:
    """Whether open_clip's table says that the weights under this tag were trained with QuickGELU."""
    import open_clip

    entry = open_clip.get_pretrained_cfg(arch, weights) or {}
    return bool(entry.get("quick_gelu", False))


def _weights(pretrained: str | None) -> str | None:
    return None if pretrained in RANDOM else str(pretrained)


def _local(asked: str, folder: Path) -> BackboneName:
    if not (folder / "open_clip_config.json").is_file():
        raise BackboneError(f"Backbone '{asked}' needs a file open_clip_config.json in the folder {folder}")
    return BackboneName(asked, f"{LOCAL_DIR}{folder}", None, folder=folder)
