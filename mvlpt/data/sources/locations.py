"""Finds a task's files below ``DATASET.ROOT``; if they are missing, the error lists the paths that were tried."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mvlpt.data.sources.class_folders import class_folder_names, normalized_name, split_folders
from mvlpt.data.sources.metadata import TaskMetadata
from mvlpt.data.sources.task_table import prompt_metadata
from mvlpt.errors import ConfigError, DataError, suggest

SOURCES = ("auto", "official", "torchvision", "folder")


@dataclass(frozen=True)
class Location:
    """The result of a search.

    Attributes:
        source: ``official``, ``torchvision``, ``folder``, ``embedded``, or empty where nothing was found.
        path: the folder to read; for ``torchvision`` the root that torchvision takes.
        looked: the paths that were tried; if one was found, it is the last.
        missing: files of the layout that are missing from the found folder.
    """

    source: str
    path: Path | None
    looked: tuple[Path, ...]
    missing: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.path is not None


def locate(root: str | Path, metadata: TaskMetadata, source: str = "auto") -> Location:
    """Searches for a task's data.

    ELEVATER's sources are tried in the order official layout (``ROOT/classification/FOLDER`` or ``ROOT/FOLDER``, with
    at least one index file), torchvision's layout, and class folders, with or without folders of splits above them
    (``ROOT/NAME``, or where the official layout would be). CoOp's have one folder each.

    Args:
        root: the folder of the data sets.
        metadata: the task.
        source: only this one (``DATASET.SOURCE``).

    Raises:
        ConfigError: there is no such source.
    """
    if source not in SOURCES:
        raise ConfigError(f"DATASET.SOURCE is '{source}'{suggest(source, SOURCES)}")
    root = Path(root).expanduser()
    if metadata.family == "embedded":
        from importlib import resources

        folder = Path(str(resources.files("mvlpt"))) / "assets" / "tasks" / metadata.folder
        return Location("embedded", folder, (folder,))
    if metadata.family == "coop":
        return _coop(root, metadata)
    looked: list[Path] = []
    if source in ("auto", "official"):
        for folder in official_folders(root, metadata):
            indices = {split: folder / files.index for split, files in metadata.splits.items()}
            looked.append(folder)
            if any(path.is_file() for path in indices.values()):
                return Location("official", folder, tuple(looked), _missing_official(folder, metadata))
    if source in ("auto", "torchvision") and metadata.torchvision is not None:
        looked.append(root / metadata.torchvision.folder)
        if looked[-1].exists():
            return Location("torchvision", root, tuple(looked))
    if source in ("auto", "folder"):
        for folder in (
            root / metadata.name,
            root / "classification" / metadata.name,
            *official_folders(root, metadata),
        ):
            looked.append(folder)
            if folder.is_dir() and _is_read_as_folder(folder, metadata):
                return Location("folder", folder, tuple(dict.fromkeys(looked)))
    return Location("", None, tuple(dict.fromkeys(looked)))


def require_location(root: str | Path, metadata: TaskMetadata, source: str = "auto") -> Location:
    """As :func:`locate`, for data that must be there.

    Raises:
        ConfigError: there is no such source.
        DataError: the data are missing; see :func:`not_found_error`.
    """
    location = locate(root, metadata, source)
    if not location:
        raise not_found_error(metadata, location, source)
    return location


def _is_read_as_folder(folder: Path, metadata: TaskMetadata) -> bool:
    """The folder contains splits or the task's classes, or what its reader refuses with the reason."""
    try:
        return bool(split_folders(folder)) or _holds_classes(folder, metadata)
    except DataError:
        return True


def _holds_classes(folder: Path, metadata: TaskMetadata) -> bool:
    """The folder contains class folders of the task, by name or number, and no others."""
    known = {normalized_name(name) for name in prompt_metadata(metadata.name).classnames}
    names = class_folder_names(folder)
    by_name = all(normalized_name(name) in known for name in names)
    return bool(names) and (by_name or all(map(str.isdecimal, names)))


def official_folders(root: Path, metadata: TaskMetadata) -> list[Path]:
    """Possible folders of the official layout of an ELEVATER task."""
    return [root / "classification" / metadata.folder, root / metadata.folder]


def not_found_error(metadata: TaskMetadata, location: Location, source: str = "auto") -> DataError:
    """The error for missing data: the paths that were tried and the command that gets it."""
    looked = ", ".join(str(path) for path in location.looked) or "nowhere"
    if not any(path.is_absolute() for path in location.looked):
        looked += " in this folder (DATASET.ROOT, or --root, names the folder of the data sets)"
    what = f"The data set '{metadata.name}'" + (f" (DATASET.SOURCE {source})" if source != "auto" else "")
    return DataError(f"{what} was not found; looked for {looked}. {how_to_get(metadata)}")


def how_to_get(metadata: TaskMetadata) -> str:
    """How to get a task's data, in a sentence."""
    if metadata.downloads:
        return f"To get it: mvlpt tasks download {metadata.name}"
    return f"{metadata.how} (mvlpt tasks download {metadata.name} prints this again)"


def _missing_official(folder: Path, metadata: TaskMetadata) -> tuple[str, ...]:
    wanted = [metadata.labels_file] if metadata.labels_file else []
    for files in metadata.splits.values():
        wanted.append(files.index)
        wanted += [zip_ for zip_ in files.archives if not (folder / zip_).with_suffix("").is_dir()]
    return tuple(dict.fromkeys(name for name in wanted if not (folder / name).exists()))


def _coop(root: Path, metadata: TaskMetadata) -> Location:
    folder = root / metadata.folder
    looked = (folder / metadata.images) if metadata.images else folder
    if not folder.is_dir():
        return Location("", None, (looked,))
    split = folder / metadata.split_file
    optional = metadata.format == "imagenet"  # its class names ship with the package
    wanted = [] if optional or (metadata.split_file and split.is_file()) else list(metadata.files)
    missing = tuple(name for name in wanted if not (folder / name).exists())
    return Location("official", folder, (looked,), missing)
