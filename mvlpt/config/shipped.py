"""Finding the configuration files that come with the package, from a checkout or an installed wheel."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import mvlpt
from mvlpt.errors import suggest

KINDS = ("trainers", "datasets", "experiments")  # folders below configs/ that a short name leaves out
SUFFIX = ".yaml"


def find_config(path: str | Path, roots: Sequence[Path] = ()) -> Path:
    """``path`` if it exists, or else the file of that name in one of ``roots``, or else the shipped one.

    Short names leave out what is the same for all: ``MVLPT-VPT/embedded`` stands for
    ``configs/trainers/MVLPT-VPT/embedded.yaml``.

    Args:
        path: as the user wrote it, such as ``configs/trainers/CoOp/rn50.yaml`` or ``CoOp/rn50``.
        roots: folders of plugins, which have ``configs`` of their own.

    Returns:
        A path that exists, or ``path`` itself, so that the reader's error names what was asked for.
    """
    asked = Path(path)
    if os.path.exists(asked) or asked.is_absolute() or not asked.name:  # false for a name that no file can have
        return asked
    if os.path.isfile(asked.with_name(f"{asked.name}{SUFFIX}")):
        return asked.with_name(f"{asked.name}{SUFFIX}")
    for root in roots:
        for folder in (root, root / "configs"):
            if found := _found_below(folder, asked):
                return found
    below = Path(*asked.parts[1:]) if asked.parts[:1] == ("configs",) else asked
    return next((found for root in _shipped_roots() if (found := _found_below(root, below))), asked)


def _found_below(folder: Path, asked: Path) -> Path | None:
    """The file or folder of a name below a folder; a short name may leave out the kind and the suffix."""
    if os.path.exists(folder / asked):
        return folder / asked
    names = [asked] if asked.suffix == SUFFIX else [asked.with_name(f"{asked.name}{SUFFIX}")]
    paths = [folder / kind / name for kind in ("", *KINDS) for name in names] if asked.name else []
    return next((path for path in paths if os.path.isfile(path)), None)


def _shipped_roots() -> Iterator[Path]:
    package = Path(mvlpt.__file__).parent
    return (root for root in (package / "configs", package.parent / "configs") if root.is_dir())


def short_names() -> list[str]:
    """The short names of all shipped configuration files, such as ``MVLPT-VPT/embedded``, sorted."""
    files = {
        file.relative_to(root).with_suffix("").as_posix() for root in _shipped_roots() for file in root.rglob("*.yaml")
    }
    return sorted(_shortened(name) for name in files)


def _shortened(name: str) -> str:
    kind, _, rest = name.partition("/")
    return rest if kind in KINDS else name


def nearest_config(path: str | Path) -> str:
    """Ends a sentence on a file that is missing: the nearest short name of a shipped one, or where they are."""
    asked = Path(path)
    if not asked.name:
        return "; see configs/ for those that are shipped"
    name = asked.with_suffix("").as_posix().removeprefix("configs/")
    return suggest(_shortened(name), short_names()) or "; see configs/ for those that are shipped"
