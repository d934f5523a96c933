"""Finding the configuration files that come with the package, from a checkout or an installed wheel."""

from __future__ import annotations

from pathlib import Path

import mvlpt


def find_config(path: str | Path) -> Path:
    """``path`` if it exists, or else the shipped file of that name under ``configs/``.

    Returns:
        A path that exists, or ``path`` itself, so that the reader's error names what was asked for.
    """
    asked = Path(path)
    if asked.exists() or asked.is_absolute():
        return asked
    package = Path(mvlpt.__file__).parent
    below = Path(*asked.parts[1:]) if asked.parts[:1] == ("configs",) else asked
    for root in (package / "configs", package.parent / "configs"):
        if (root / below).exists():
            return root / below
    return asked
