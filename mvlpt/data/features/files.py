"""Features on disk, so that other processes and machines need not encode the same images again.

One safetensors file holds one :class:`mvlpt.data.features.cache.FeatureBank`; its name is the hash of its key, and the
key is stored in the file, so that files cannot be confused.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

from safetensors.torch import save

from mvlpt.data.features.cache import FeatureBank
from mvlpt.errors import DataError
from mvlpt.io import first_line, open_tensors, parse_json, write_file

log = logging.getLogger(__name__)

FORMAT = "mvlpt-features-1"
Shape = tuple[int | None, int | None, int | None]


def feature_file(folder: str | os.PathLike[str], key: str) -> Path:
    """The path of the features of this key, whether it exists or not."""
    return Path(folder) / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"


def read_or_build(
    folder: str | os.PathLike[str], key: str, build: Callable[[], FeatureBank], shape: Shape = (None, None, None)
) -> FeatureBank:
    """The bank stored under ``key``; if there is none, or a broken one, ``build`` computes it and it is written.

    Args:
        folder: created if it is missing.
        key: identifies everything the features depend on.
        build: computes the bank.
        shape: views, images and width that the features must have; None for any.

    Raises:
        DataError: the folder cannot be written.
    """
    path = feature_file(folder, key)
    if os.path.lexists(path):
        try:
            return _read(path, key, shape)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s holds no usable features (%s); they are computed again", path, first_line(error))
    bank = build()
    _write(path, key, bank)
    return bank


def _read(path: Path, key: str, shape: Shape) -> FeatureBank:
    with open_tensors(path, error=DataError) as file:
        metadata = file.metadata
        if metadata.get("format") != FORMAT or metadata.get("key") != key:
            raise ValueError("it has another format or belongs to other images")
        missing = {int(index): impath for index, impath in parse_json(metadata["missing"], "its header").items()}
        sizes = file.shape("features")  # before memory is taken
        if len(sizes) != 3 or any(wanted not in (None, size) for size, wanted in zip(sizes, shape, strict=True)):
            raise ValueError(f"its features have the shape {sizes}")
        if not all(0 <= index < sizes[1] and isinstance(impath, str) for index, impath in missing.items()):
            raise ValueError("its header names other images")
        features = file.tensor("features")
        if not features.is_floating_point() or not features.isfinite().all():
            raise ValueError(f"its features are of {features.dtype} or not finite")
        return FeatureBank(features, missing)


def _write(path: Path, key: str, bank: FeatureBank) -> None:
    metadata = {"format": FORMAT, "key": key, "missing": json.dumps(dict(bank.missing))}
    content = save({"features": bank.features.cpu().contiguous()}, metadata=metadata)
    write_file(path, content, error=DataError, remedy="set DATALOADER.FEATURE_DIR to another folder")
