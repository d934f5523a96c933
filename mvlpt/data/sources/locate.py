"""Finding a task's files below ``DATASET.ROOT``, and saying where was looked when they are not there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mvlpt.data.sources.class_folders import class_folders, normalized, split_folders
from mvlpt.data.sources.task_table import TaskFacts, prompt_facts
from mvlpt.errors import ConfigError, DataError, suggest

SOURCES = ("auto", "official", "torchvision", "folder")


@dataclass(frozen=True)
class Location:
    """What was found.

    Attributes:
        source: ``official``, ``torchvision``, ``folder``, ``embedded``, or empty where nothing was found.
        path: the folder to read; for ``torchvision`` the root that torchvision takes.
        looked: the paths that were tried, the found one last.
        missing: files of the layout that are not in the found folder.
    """

    source: str
    path: Path | None
    looked: tuple[Path, ...]
    missing: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.path is not None


def locate(root: str | Path, facts: TaskFacts, source: str = "auto") -> Location:
    """Looks for a task's data.

    ELEVATER's sources are tried in the order official layout (``ROOT/classification/FOLDER`` or ``ROOT/FOLDER``, with
    at least one index file), torchvision's layout, and class folders, with or without folders of splits above them
    (``ROOT/NAME``, or where the official layout would be). CoOp's have one folder each.

    Args:
        root: the folder of the data sets.
        facts: the task.
        source: only this one (``DATASET.SOURCE``).

    Raises:
        ConfigError: there is no such source.
    """
    if source not in SOURCES:
        raise ConfigError(f"DATASET.SOURCE is '{source}'{suggest(source, SOURCES)}")
    root = Path(root).expanduser()
    if facts.family == "embedded":
        from importlib import resources

        folder = Path(str(resources.files("mvlpt"))) / "assets" / "tasks" / facts.folder
        return Location("embedded", folder, (folder,))
    if facts.family == "coop":
        return _coop(root, facts)
    looked: list[Path] = []
    if source in ("auto", "official"):
        for folder in official_folders(root, facts):
            indices = {split: folder / files.index for split, files in facts.splits.items()}
            looked.append(folder)
            if any(path.is_file() for path in indices.values()):
                return Location("official", folder, tuple(looked), _missing_official(folder, facts))
    if source in ("auto", "torchvision") and facts.torchvision is not None:
        looked.append(root / facts.torchvision.folder)
        if looked[-1].exists():
            return Location("torchvision", root, tuple(looked))
    if source in ("auto", "folder"):
        for folder in (root / facts.name, root / "classification" / facts.name, *official_folders(root, facts)):
            looked.append(folder)
            if folder.is_dir() and (split_folders(folder) or _holds_classes(folder, facts)):
                return Location("folder", folder, tuple(dict.fromkeys(looked)))
    return Location("", None, tuple(dict.fromkeys(looked)))


def _holds_classes(folder: Path, facts: TaskFacts) -> bool:
    """The folder holds class folders of the task, and no others."""
    known = {normalized(name) for name in prompt_facts(facts.name).classnames}
    names = class_folders(folder)
    return bool(names) and all(normalized(name) in known for name in names)


def official_folders(root: Path, facts: TaskFacts) -> list[Path]:
    """Where the official layout of an ELEVATER task may lie."""
    return [root / "classification" / facts.folder, root / facts.folder]


def not_found(facts: TaskFacts, location: Location, source: str = "auto") -> DataError:
    """The sentence for data that is not there: the paths that were tried and the command that gets it."""
    looked = ", ".join(str(path) for path in location.looked) or "nowhere"
    if not any(path.is_absolute() for path in location.looked):
        looked += " in this folder (DATASET.ROOT, or --root, names the folder of the data sets)"
    what = f"The data set '{facts.name}'" + (f" (DATASET.SOURCE {source})" if source != "auto" else "")
    return DataError(f"{what} was not found; looked for {looked}. {remedy(facts)}")


def remedy(facts: TaskFacts) -> str:
    """How to get a task's data, in a sentence."""
    if facts.downloads:
        return f"To get it: mvlpt tasks download {facts.name}"
    return f"{facts.how} (mvlpt tasks download {facts.name} prints this again)"


def _missing_official(folder: Path, facts: TaskFacts) -> tuple[str, ...]:
    wanted = [facts.labels_file] if facts.labels_file else []
    for files in facts.splits.values():
        wanted.append(files.index)
        wanted += [zip_ for zip_ in files.archives if not (folder / zip_).with_suffix("").is_dir()]
    return tuple(dict.fromkeys(name for name in wanted if not (folder / name).exists()))


def _coop(root: Path, facts: TaskFacts) -> Location:
    folder = root / facts.folder
    looked = (folder / facts.images) if facts.images else folder
    if not folder.is_dir():
        return Location("", None, (looked,))
    split = folder / facts.split_file
    optional = facts.format == "imagenet"  # its class names ship with the package
    wanted = [] if optional or (facts.split_file and split.is_file()) else list(facts.files)
    missing = tuple(name for name in wanted if not (folder / name).exists())
    return Location("official", folder, (looked,), missing)
