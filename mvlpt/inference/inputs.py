"""What a classifier takes as images: files, folders, PIL images, arrays and tensors, one or many, one after the other.

Shapes: N images, H height, W width.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mvlpt.data import read_image
from mvlpt.data.images import archive_entries, image_suffixes, upright_rgb
from mvlpt.data.sources import LinkCheck, walk_files
from mvlpt.errors import DataError
from mvlpt.inference.preprocessing import Preprocessing

SHAPES = (
    "give files, PIL images, uint8 arrays (H, W, 3), or tensors as classifier.preprocess makes them, float (3, H, W)"
)


def images_in(folder: str | os.PathLike[str]) -> Iterator[str]:
    """The image files of a folder and of those below it, sorted within each; of a zip file, its entries.

    Raises:
        DataError: there is no such folder, or a link in it leads out of it.
    """
    root = Path(folder)
    suffixes = image_suffixes()
    if root.is_file():
        entries = sorted(archive_entries(str(root)))
        yield from (f"{root}@{entry}" for entry in entries if os.path.splitext(entry)[1].lower() in suffixes)
        return
    if not root.is_dir():
        raise DataError(f"There is no image and no folder at {root}")
    for name in walk_files(root, LinkCheck(root), frozenset(("__MACOSX",))):
        if os.path.splitext(name)[1].lower() in suffixes:
            yield os.path.join(root, name)


def each_image(images: Any) -> Iterator[Any]:
    """One image after the other.

    Args:
        images: a file, a folder, a PIL image, an array (H, W, 3) or (N, H, W, 3), a tensor (3, H, W) or (N, 3, H, W),
            or anything that can be iterated over and gives such images.

    Raises:
        DataError: it is nothing of this kind.
    """
    if isinstance(images, str | os.PathLike):
        path = os.fspath(images)
        yield from images_in(path) if os.path.isdir(path) or path.lower().endswith(".zip") else (path,)
    elif isinstance(images, Image.Image) or (getattr(images, "ndim", 0) in (2, 3) and not _is_column(images)):
        yield images
    elif isinstance(images, Iterable) and not isinstance(images, bytes) and getattr(images, "ndim", 1):
        yield from images
    else:
        raise _no_image(images)


def _no_image(given: Any) -> DataError:
    return DataError(f"An object of type {type(given).__name__} is no image; {SHAPES}")


def _is_column(images: Any) -> bool:
    """Whether an array holds files, as a column of a table does."""
    return getattr(getattr(images, "dtype", None), "kind", "") in ("O", "U")


def to_pixels(image: Any, preprocess: Preprocessing) -> Tensor:
    """The model's input (3, H, W), float32.

    Raises:
        DataError: a file cannot be read, an array has another shape or type, or an image has no pixel.
    """
    if 0 in (image.size if isinstance(image, Image.Image) else getattr(image, "shape", ())):
        raise DataError(f"An image without pixels cannot be classified; {SHAPES}")
    if isinstance(image, str | os.PathLike):
        return preprocess(read_image(os.fspath(image), preprocess.transparency))
    if isinstance(image, Image.Image):
        return preprocess(upright_rgb(image.copy(), "image", preprocess.transparency))
    if isinstance(image, Tensor):
        if image.is_floating_point():
            return _prepared(image.detach().float().cpu(), preprocess.size)
        image = image.cpu().numpy()
        image = np.moveaxis(image, 0, -1) if image.ndim == 3 and image.shape[0] in (1, 3, 4) else image
    if isinstance(image, np.ndarray):
        if image.dtype.kind == "f":
            return _prepared(torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)), preprocess.size)
        picture = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
        if picture.dtype == np.uint8 and (picture.ndim == 2 or (picture.ndim == 3 and picture.shape[-1] in (3, 4))):
            return preprocess(upright_rgb(Image.fromarray(picture), "image", preprocess.transparency))
        raise DataError(f"An array {image.shape} of {image.dtype} is no image; {SHAPES}")
    raise _no_image(image)


def _prepared(image: Tensor, size: Sequence[int]) -> Tensor:
    if tuple(image.shape) != (3, *size):
        raise DataError(f"A prepared image is of shape (3, {size[0]}, {size[1]}), not {tuple(image.shape)}; {SHAPES}")
    return image
