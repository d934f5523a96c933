"""The YAML file that describes a custom task.

All keys are optional except that ``images`` or ``manifest`` is needed; paths are relative to the file::

    name: birds                 # in results; default: the file's name
    images: photos              # class folders, optionally below train/, val/, test/; or the root of a manifest's paths
    unlabelled: more            # a folder of images to train on without labels; see docs/methods.md
    manifest: labels.csv        # CSV or JSON lines; or one for each split: {train: a.csv, test: b.csv}
    classes: classes.txt        # or a list, or a mapping from folder names to names; default: taken from the data
    templates: ["a photo of a {}, a type of bird."]
    metric: accuracy            # default; 11point_mAP for images with several labels
    val_share: 0.2              # of each class's training images, if there is no val split
    test_share: 0.3             # likewise
    transparency: white         # default: transparent images are put on white; drop ignores their alpha channel
    center_crop: true           # default; false evaluates whole images, squashed to the size, not their centres
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mvlpt.data.sources import DEFAULT_SHARES, ClassList, checked_templates, parse_class_list, read_class_list
from mvlpt.errors import DataError, UnknownNameError, suggest
from mvlpt.io import parse_yaml, read_text, short_repr
from mvlpt.metrics import get_metric

SPLITS = ("train", "val", "test")
KEYS = (
    "name", "images", "manifest", "classes", "templates", "metric", "multi_label", "val_share", "test_share",
    "center_crop", "transparency", "unlabelled",
)  # fmt: skip


@dataclass(frozen=True)
class TaskFile:
    """The content of a task file.

    Attributes:
        where: the file, or the folder of a task without a file.
        name: the task's name.
        images: folder of the images.
        manifests: manifest of each split, or one for all under ``""``; empty for class folders.
        classes: the class list, or ``None`` to take it from the data.
        templates: prompt templates; empty for the default or those of the class list.
        metric: name of the metric, or empty for the default.
        multi_label: whether images may have several labels; ``None`` to decide from the data.
        shares: shares of ``val`` and ``test`` if they are missing.
        center_crop: evaluate the centre of an image; else the whole image.
        transparency: ``white`` or ``drop``.
        unlabelled: folder of images without labels, or ``None``.
    """

    where: Path
    name: str
    images: Path
    manifests: Mapping[str, Path]
    classes: ClassList | None = None
    templates: tuple[str, ...] = ()
    metric: str = ""
    multi_label: bool | None = None
    shares: Mapping[str, float] | None = None
    center_crop: bool = True
    transparency: str = "white"
    unlabelled: Path | None = None


def read_task_file(path: Path) -> TaskFile:
    """Reads and checks a task file.

    Raises:
        DataError: the file is missing, not YAML, or has an unknown key or value.
    """
    text = read_text(path, missing=f"The task file {path} does not exist")
    content = parse_yaml(text, path, error=DataError, remedy="correct the task file")
    words = parse_yaml(text, path, error=DataError, strings=True)  # names as they are written, such as `no` and `01`
    if not isinstance(content, dict):
        raise DataError(f"The task file {path} must contain keys and values, for example 'images: photos'")
    unknown = next((str(key) for key in content if key not in KEYS), None)
    if unknown is not None:
        raise DataError(f"{path}: there is no key '{unknown}'{suggest(unknown, KEYS)}")
    if not content.get("images") and not content.get("manifest"):
        raise DataError(f"{path}: a task needs 'images', a folder of class folders, or 'manifest', a file with labels")
    images = _path(path, words.get("images") or ".", "images")
    spec = TaskFile(
        where=path,
        name=checked_name(words.get("name") or name_of_path(path.with_suffix("")), path),
        images=images,
        manifests=_manifests(path, words.get("manifest")),
        templates=checked_templates(words.get("templates") or (), str(path)),
        metric=_metric(path, words.get("metric") or ""),
        multi_label=content.get("multi_label"),
        center_crop=content.get("center_crop", True),
        transparency=words.get("transparency", "white"),
        unlabelled=_path(path, words["unlabelled"], "unlabelled") if words.get("unlabelled") else None,
        shares={split: _share(path, f"{split}_share", content, DEFAULT_SHARES[split]) for split in ("val", "test")},
    )
    if spec.multi_label not in (None, True, False):
        raise DataError(f"{path}: multi_label must be true or false, not {short_repr(spec.multi_label)}")
    if spec.center_crop not in (True, False):
        raise DataError(f"{path}: center_crop must be true or false, not {short_repr(spec.center_crop)}")
    if spec.transparency not in ("white", "drop"):
        raise DataError(f"{path}: transparency must be white or drop, not {short_repr(spec.transparency)}")
    if spec.multi_label and not spec.manifests:
        raise DataError(f"{path}: with class folders an image has one class; multi_label needs a manifest")
    classes = content.get("classes")
    if classes is None:
        return spec
    if isinstance(classes, str):
        return replace(spec, classes=read_class_list(_path(path, classes, "classes")))
    return replace(spec, classes=parse_class_list(words["classes"], str(path)))


def _metric(file: Path, name: Any) -> str:
    if not isinstance(name, str):
        raise DataError(f"{file}: 'metric' must be a name, not {short_repr(name)}")
    try:
        return get_metric(name).name if name else ""
    except UnknownNameError as error:
        raise DataError(f"{file}: {error}") from None


def _path(file: Path, value: Any, key: str) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise DataError(f"{file}: '{key}' must be a path, not {short_repr(value)}")
    return file.parent / os.path.expanduser(value)


def _manifests(file: Path, value: Any) -> dict[str, Path]:
    if not value:
        return {}
    if not isinstance(value, dict):
        return {"": _path(file, value, "manifest")}
    unknown = next((str(split) for split in value if split not in SPLITS), None)
    if unknown is not None:
        raise DataError(f"{file}: 'manifest' has no split '{unknown}'{suggest(unknown, SPLITS)}")
    return {split: _path(file, path, f"manifest: {split}") for split, path in value.items()}


def _share(file: Path, key: str, content: Mapping[str, Any], default: float) -> float:
    value = content.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise DataError(f"{file}: {key} is {short_repr(value)}; it must be at least 0 and below 1")
    return float(value)


def name_of_path(path: Path) -> str:
    """The name of a task from that of its file or folder, without what a task's name must not contain."""
    return re.sub(r"[,/\\\n]+", " ", path.name).strip(" .") or "task"


def checked_name(name: Any, file: Path) -> str:
    """``name``, if it is a valid name of a task."""
    if not isinstance(name, str):
        raise DataError(f"{file}: 'name' must be a string, not {short_repr(name)}")
    if name.startswith(".") or any(sign in name for sign in ",/\\\n"):
        wrong = "begin with a dot" if name.startswith(".") else "contain a comma, a slash or a line break"
        raise DataError(f"{file}: '{name}' cannot be a task's name; it must not {wrong}")
    return name
