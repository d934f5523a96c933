"""Downloads a task's data through torchvision, if torchvision offers it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mvlpt.data.sources.locations import Location, locate
from mvlpt.data.sources.metadata import TaskMetadata
from mvlpt.data.sources.task_table import known_tasks
from mvlpt.errors import DataError

Fetch = Callable[[str, Path, Mapping[str, Any]], None]


def download_task(metadata: TaskMetadata, root: str | Path, fetch: Fetch | None = None) -> Location:
    """Downloads a task below ``root``, in torchvision's layout.

    Args:
        metadata: the task.
        root: the folder of the data sets; created if needed.
        fetch: downloads one split, given the class's name, the root and the split's arguments; by default
            torchvision's download.

    Returns:
        The location of the data.

    Raises:
        DataError: torchvision cannot download it (the message says how to get it), or the download fails; no empty
            folder is left behind.
    """
    if metadata.family == "embedded":
        raise DataError(f"'{metadata.name}' ships with the package; there is nothing to download")
    if not metadata.downloads:
        raise DataError(f"'{metadata.name}' cannot be downloaded automatically. {metadata.how}{_counterpart(metadata)}")
    source, root = metadata.torchvision, Path(root).expanduser()
    assert source is not None
    made = next((path for path in (root, root / Path(source.folder).parts[0]) if not path.exists()), None)
    try:
        root.mkdir(parents=True, exist_ok=True)
        for arguments in source.arguments.values():
            (fetch or torchvision_fetch)(source.cls, root, arguments)
    except Exception as error:  # urllib, tarfile, gdown, torchvision: each raises its own
        if made is not None:
            _remove_empty(made)
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"torchvision's {source.cls} could not be downloaded to {root}: {reason}") from error
    location = locate(root, metadata, "torchvision")
    if not location:
        raise DataError(f"torchvision's {source.cls} was downloaded, but {root / source.folder} does not exist")
    return location


def torchvision_fetch(cls: str, root: Path, arguments: Mapping[str, Any]) -> None:
    """Downloads and unpacks one split with torchvision; existing files are kept."""
    from torchvision import datasets

    getattr(datasets, cls)(str(root), download=True, **arguments)


def _remove_empty(folder: Path) -> None:
    """Removes empty folders; partial downloads stay, since torchvision resumes them."""
    for path, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            os.rmdir(path)


def _counterpart(metadata: TaskMetadata) -> str:
    """A sentence that points from a CoOp data set to ELEVATER's version of the same images."""
    for other in known_tasks("elevater"):
        if metadata.family == "coop" and metadata.counterpart == other.name and other.downloads:
            return f". ELEVATER's '{other.name}' has the same pictures in another split and can be downloaded"
    return ""
