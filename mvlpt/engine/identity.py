"""Whether two runs are the same: they are if they agree in every option that affects results."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from yacs.config import CfgNode

from mvlpt.config import OPTIONS, flatten, split_names


def result_affecting_options(cfg: Mapping[str, Any], *, pinned: bool = True) -> dict[str, Any]:
    """The options that affect results, flat, with tuples as lists; newer ones only where they are set.

    Args:
        cfg: a configuration, or some of its sections.
        pinned: a folder has one spelling (``shapes`` for ``./shapes/``), and options that change no results, but
            which version 0.1.0 listed, have their defaults; otherwise the values are those in ``cfg``.
    """
    kept = {}
    for key, value in flatten(cfg):
        option = OPTIONS.get(key)
        if option is None or option.identifies(value):
            kept[key] = option.default if pinned and option is not None and option.pinned else value
    for key in ("DATASET.DATASET", "DATASET.NAME") if pinned else ():
        if isinstance(kept.get(key), str):
            names = split_names(kept[key])
            kept[key] = ",".join(os.path.normpath(name) if "/" in name else name for name in names)
    return {key: _plain(value) for key, value in sorted(kept.items())}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def changed_options(cfg: CfgNode) -> dict[str, Any]:
    """The options that affect results and are not at their defaults, flat; a plugin's own options always."""
    return {
        key: value
        for key, value in result_affecting_options(cfg).items()
        if key not in OPTIONS or value != _plain(OPTIONS[key].default)
    }


def config_identity(cfg: CfgNode) -> str:
    """A hash of :func:`result_affecting_options`, 16 hexadecimal digits."""
    return _hash(result_affecting_options(cfg))


def former_identity(cfg: CfgNode) -> str:
    """The hash by which version 0.1.0 knew a run."""
    return _hash(result_affecting_options(cfg, pinned=False))


def _hash(options: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(options).encode()).hexdigest()[:16]


def config_differences(there: CfgNode, here: CfgNode) -> list[str]:
    """The differences that affect results, each as ``KEY: x there, y here``."""
    old, new = result_affecting_options(there), result_affecting_options(here)
    missing = object()
    return [
        f"{key}: {'unset' if old.get(key, missing) is missing else repr(old[key])} there, "
        f"{'unset' if new.get(key, missing) is missing else repr(new[key])} here"
        for key in sorted(old.keys() | new.keys())
        if old.get(key, missing) != new.get(key, missing)
    ]
