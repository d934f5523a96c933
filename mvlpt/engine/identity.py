"""What makes two runs the same run: every option but those that cannot change a result."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from yacs.config import CfgNode

from mvlpt.config import OPTIONS, flatten


def decisive_options(cfg: CfgNode) -> dict[str, Any]:
    """The options on which the result depends, flat, with tuples as lists."""
    kept = {key: value for key, value in flatten(cfg) if key not in OPTIONS or OPTIONS[key].affects_results}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in sorted(kept.items())}


def config_identity(cfg: CfgNode) -> str:
    """A hash of :func:`decisive_options`, 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(decisive_options(cfg)).encode()).hexdigest()[:16]


def config_differences(there: CfgNode, here: CfgNode) -> list[str]:
    """Each decisive option in which two configurations differ, as ``KEY: x there, y here``."""
    old, new = decisive_options(there), decisive_options(here)
    missing = object()
    return [
        f"{key}: {'unset' if old.get(key, missing) is missing else repr(old[key])} there, "
        f"{'unset' if new.get(key, missing) is missing else repr(new[key])} here"
        for key in sorted(old.keys() | new.keys())
        if old.get(key, missing) != new.get(key, missing)
    ]
