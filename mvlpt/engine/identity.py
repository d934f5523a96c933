"""Whether two runs are the same: they are if they agree in every option that affects results."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from yacs.config import CfgNode

from mvlpt.config import OPTIONS, flatten


def result_affecting_options(cfg: CfgNode) -> dict[str, Any]:
    """The options that affect results, flat, with tuples as lists; newer ones only where they are set."""
    kept = {key: value for key, value in flatten(cfg) if key not in OPTIONS or OPTIONS[key].identifies(value)}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in sorted(kept.items())}


def config_identity(cfg: CfgNode) -> str:
    """A hash of :func:`result_affecting_options`, 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(result_affecting_options(cfg)).encode()).hexdigest()[:16]


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
