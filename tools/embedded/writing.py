"""Writes a task in ELEVATER's text layout: ``labels.txt``, one index per split, and one zip of images.

Index lines are ``images.zip@<class>/<designer>.png <label>`` (``.webp`` where there is noise); a designer's second
drawing ends in ``-2``. Equal images give equal bytes: entries are sorted, stored, and carry one fixed date.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from embedded.naming import slug
from embedded.splits import SPLITS

ZIP_DATE = (2026, 1, 1, 0, 0, 0)
SOURCES_NAME = "sources.txt"
WEBP_QUALITY = 70


@dataclass(frozen=True)
class TaskImage:
    """One image of a task: where it belongs, what it shows, who drew it."""

    class_name: str
    split: str
    designer: str
    number: int
    source: str
    pixels: np.ndarray

    @property
    def stem(self) -> str:
        """Path in the zip without extension."""
        return f"{slug(self.class_name)}/{self.designer}" + (f"-{self.number}" if self.number > 1 else "")


def encode(pixels: np.ndarray) -> tuple[bytes, str]:
    """Encodes (48, 48, 3) uint8: grey images as PNG, coloured (noisy) ones as WebP. Returns bytes and extension."""
    buffer = io.BytesIO()
    if (pixels == pixels[..., :1]).all():
        Image.fromarray(pixels[..., 0]).save(buffer, "PNG", optimize=True)
        return buffer.getvalue(), "png"
    Image.fromarray(pixels).save(buffer, "WEBP", quality=WEBP_QUALITY, method=6)
    return buffer.getvalue(), "webp"


def write_zip(path: Path, entries: dict[str, bytes]) -> str:
    """Writes a reproducible zip and returns its SHA-256."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, date_time=ZIP_DATE)
            info.external_attr = 0o644 << 16
            info.create_system = 3
            if name.endswith(".txt"):
                info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entries[name])
    data = buffer.getvalue()
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def write_task(folder: Path, images: list[TaskImage]) -> dict:
    """Writes one task.

    Args:
        folder: Folder of the task, made if missing.
        images: All its images.

    Returns:
        The task's part of the manifest: classes, sizes, designers, hash.
    """
    folder.mkdir(parents=True, exist_ok=True)
    classes = sorted({image.class_name for image in images})
    entries: dict[str, bytes] = {}
    lines: dict[str, list[str]] = {split: [] for split in SPLITS}
    sources = []
    for image in sorted(images, key=lambda image: image.stem):
        data, extension = encode(image.pixels)
        name = f"{image.stem}.{extension}"
        entries[name] = data
        lines[image.split].append(f"images.zip@{name} {classes.index(image.class_name)}")
        sources.append(f"{name} {image.source}")
    entries[SOURCES_NAME] = ("\n".join(sources) + "\n").encode()
    (folder / "labels.txt").write_text("\n".join(classes) + "\n")
    for split in SPLITS:
        (folder / f"{split}.txt").write_text("\n".join(lines[split]) + "\n")
    digest = write_zip(folder / "images.zip", entries)
    return {
        "classes": classes,
        "images": {split: len(lines[split]) for split in SPLITS},
        "designers": {split: sorted({i.designer for i in images if i.split == split}) for split in SPLITS},
        "bytes": (folder / "images.zip").stat().st_size,
        "sha256": digest,
    }
