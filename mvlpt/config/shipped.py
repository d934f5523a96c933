"""Finding the configuration files that come with the package, from a checkout or an installed wheel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mvlpt


def find_config(path: str | Path, roots: Sequence[Path] = ()) -> Path:
    """``path`` if it exists, or else the file of that name in one of ``roots``, or else the shipped one.

    Args:
        path: as the user wrote it, such as ``configs/trainers/CoOp/rn50.yaml``.
        roots: folders of plugins, which have ``configs`` of their own.

    Returns:
        A path that exists, or ``path`` itself, so that the reader's error names what was asked for.
    """
    asked = Path(path)
    if asked.exists() or asked.is_absolute():
        return asked
    for root in roots:
        if (root / asked).exists():
            return root / asked
    package = Path(mvlpt.__file__).parent
    below = Path(*asked.parts[1:]) if asked.parts[:1] == ("configs",) else asked
    for root in (package / "configs", package.parent / "configs"):
        if (root / below).exists():
            return root / below
    return asked
