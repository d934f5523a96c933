"""Folders of images, one folder a class, with or without folders for the splits above them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mvlpt.data.datum import Datum
from mvlpt.data.images.reading import image_suffixes
from mvlpt.data.sources.links import LinkCheck, check_not_system, walk_files
from mvlpt.errors import DataError

SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
SYSTEM_FOLDERS = frozenset(("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"))

# no word is made of others, else the time to look through many of them would double with each
_AROUND = "(?:images?|imgs?|photos?|pictures?|pics?|data|sets?|splits?|folders?|the|my|new|raw)"
_LIKE_A_SPLIT = re.compile(
    rf"\d*{_AROUND}*(?:(?P<train>train|training|trn|trainval|trainset)|(?P<val>val|valid|validation|valset|dev)"
    rf"|(?P<test>test|testing|tst|eval|evaluation|holdout|heldout)){_AROUND}*\d*"
)


def normalized_name(name: str) -> str:
    """A name in lower case, reduced to letters and digits, for matching different spellings."""
    return re.sub(r"[\W_]", "", name.lower())


def split_folders(root: Path) -> dict[str, Path]:
    """The folders of the splits below ``root``, by split; empty if ``root`` directly contains class folders.

    A class may also be called ``train``: if no such folder contains folders, they are classes.

    Raises:
        DataError: a split has two folders, or beside the splits there is a folder such as ``Test`` or ``val_images``.
    """
    found, links = {}, LinkCheck(root)
    for split, names in SPLIT_FOLDERS.items():
        present = [root / name for name in names if (root / name).is_dir()]
        if len(present) > 1:
            both = f"{present[0].name} and {present[1].name}"
            raise DataError(f"{root} has two folders for the {split} split, {both}; move the images into one of them")
        if present:
            links.check_folder(str(present[0]))
            found[split] = present[0]
    if not any(class_folder_names(folder) for folder in found.values()):
        return {}
    used = {folder.name for folder in found.values()}
    other = next((name for name in class_folder_names(root) if name not in used and looks_like_split(name)), None)
    if other is not None:
        raise DataError(f"{root}: is '{other}' a split beside {', '.join(sorted(used))}? Call it train, val or test")
    return found


def looks_like_split(name: str) -> str:
    """The split of a folder named like one, in any spelling (``Train``, ``test_set``, ``val-images``); else ""."""
    found = _LIKE_A_SPLIT.fullmatch(normalized_name(name))
    return found.lastgroup or "" if found else ""


def check_layout(root: Path, folders: Mapping[str, Path], names: Sequence[str]) -> None:
    """Refuses folders of which it is not certain that they are the classes of a task.

    Args:
        root: the folder of the task.
        folders: folder of each split, or ``root`` itself.
        names: the folders with images below them, without those of splits: presumably the classes.

    Raises:
        DataError: they are named like splits; they contain folders that are; or there is one only, which contains
            folders.
    """
    splits = {split for name in names if (split := looks_like_split(name))}
    if all(map(looks_like_split, names)) or ("train" in splits and len(splits) > 1):
        named = ", ".join(name for name in names if looks_like_split(name))
        raise DataError(
            f"{root}: the folders {named} are named like splits, not classes; give each class a folder, "
            f"{names[0].lower()}/CLASS/, and call splits train, val and test, or list the classes in a task file"
        )
    below = {}
    for folder in folders.values():
        below |= {name: class_folder_names(folder / name) for name in names if (folder / name).is_dir()}
    inside = next((name for name, found in below.items() if {"train", "test"} <= {*map(looks_like_split, found)}), None)
    if inside is not None:
        raise DataError(
            f"{root}: the folder '{inside}' contains splits, {', '.join(below[inside][:3])}; put classes below splits, "
            f"train/{inside}/, or list the images in a manifest"
        )
    if len(names) == 1 and below[names[0]]:
        raise DataError(
            f"{root} contains a single class, '{names[0]}', with folders below it ({', '.join(below[names[0]][:3])}); "
            f"if those are the classes, give the folder {root / names[0]}"
        )


def class_folder_names(root: Path, ignored: Iterable[str] = (), *, links: LinkCheck | None = None) -> list[str]:
    """Names of the folders below ``root`` in sorted order, without hidden, system (``__MACOSX``) and ignored ones.

    Args:
        root: the folder.
        ignored: names to leave out.
        links: of the data set's folder, where that is not ``root``.

    Raises:
        DataError: ``root`` is not a folder, or one of the folders is a link that leads out of the data set.
    """
    ignored = SYSTEM_FOLDERS.union(ignored)
    check_not_system(root)
    links = LinkCheck(root) if links is None else links
    try:
        with os.scandir(root) as entries:
            names = {
                entry.name: entry.is_symlink()
                for entry in entries
                if not entry.name.startswith(".") and entry.name not in ignored and entry.is_dir()
            }
    except OSError as error:
        raise DataError(f"The folder {root} cannot be read: {error.strerror or error}") from error
    for name, is_link in names.items():
        if is_link:
            links.check_folder(os.path.join(root, name))
    return sorted(names)


def image_files(folder: Path, *, any_suffix: bool = False, links: LinkCheck | None = None) -> list[str]:
    """Names of the images in a folder and below it, relative to it, sorted, without hidden files.

    Args:
        folder: the folder.
        any_suffix: take every file.
        links: of the data set's folder, where that is not ``folder``.

    Raises:
        DataError: a link leads out of the data set.
    """
    return sorted(_walk_images(folder, any_suffix, links))


def has_image(folder: Path, links: LinkCheck | None = None) -> bool:
    """Whether there is an image in a folder or below it; see :func:`image_files`."""
    return next(_walk_images(folder, False, links), None) is not None


def _walk_images(folder: Path, any_suffix: bool, links: LinkCheck | None) -> Iterator[str]:
    suffixes = image_suffixes()
    for path in walk_files(folder, LinkCheck(folder) if links is None else links, SYSTEM_FOLDERS):
        if any_suffix or os.path.splitext(path)[1].lower() in suffixes:
            yield path


def read_class_folders(
    root: Path,
    labels: Mapping[str, int],
    classnames: Sequence[str],
    *,
    ignored: Iterable[str] = (),
    links: LinkCheck | None = None,
) -> list[Datum]:
    """The images below ``root``, class by class in label order.

    Args:
        root: contains one folder for each class.
        labels: label of each folder.
        classnames: names in label order.
        ignored: folders to skip.
        links: of the data set's folder, where that is not ``root``.

    Raises:
        DataError: a folder with images has no label, there is no image at all, or a link leads out of the data set.
    """
    links = LinkCheck(root) if links is None else links
    folders = class_folder_names(root, ignored, links=links)
    unknown = [name for name in folders if name not in labels and has_image(root / name, links)]
    if unknown:
        raise DataError(f"The folder {root / unknown[0]} belongs to none of the {len(classnames)} classes")
    items = [
        Datum(f"{root}/{folder}/{name}", labels[folder], 0, classnames[labels[folder]])
        for folder in sorted(labels.keys() & set(folders), key=lambda name: (labels[name], name))
        for name in image_files(root / folder, links=links)
    ]
    if not items:
        raise DataError(f"The folder {root} contains no image in a class folder")
    return items


def match_by_name(names: Iterable[str], classnames: Sequence[str], where: str) -> dict[str, int]:
    """Labels of a benchmark's classes by their names in another source.

    A name equals a class name, or else matches it up to case, spaces and punctuation.

    Raises:
        DataError: a name matches no class or several, or two names match the same one.
    """
    exact = {classname: label for label, classname in enumerate(classnames)}
    similar: dict[str, list[int]] = {}
    for label, classname in enumerate(classnames):
        similar.setdefault(normalized_name(classname), []).append(label)
    found: dict[str, int] = {}
    taken: set[int] = set()
    for name in names:
        labels = [exact[name]] if name in exact else similar.get(normalized_name(name), [])
        if not labels:
            raise DataError(f"{where}: '{name}' is none of the {len(classnames)} class names")
        if len(labels) > 1:
            both = " and ".join(f"'{classnames[label]}'" for label in labels[:2])
            raise DataError(f"{where}: '{name}' is too similar to both {both} to match by name")
        if labels[0] in taken:
            raise DataError(f"{where}: '{name}' and another name match the same class")
        found[name] = labels[0]
        taken.add(labels[0])
    return found
