"""A task embedding, the statistics of a task's frozen features, and its file.

Shapes: N images, K classes, E width of the shared feature space of images and text.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mvlpt.errors import GraphError
from mvlpt.io import atomic_write, check_head, open_entry, open_zip, parse_json, read_array_header

FORMAT = "mvlpt-task-embedding"
VERSION = 1
ARRAYS = {"counts": "i", "prototypes": "f", "mean": "f", "covariance": "f", "text": "f"}
HEADER = "header"
MAX_BYTES = 2**31  # of one array in a file; a covariance of width 16,384 takes half of it


@dataclass(frozen=True, eq=False)
class TaskEmbedding:
    """Statistics of a task's frozen features.

    Attributes:
        name: the task.
        class_names: its K classes.
        metric: the name of its metric.
        counts: (K,) int64, training images of each class; an image with several labels counts once for each.
        prototypes: (K, E) float32, normalised mean of the unit features of each class's images; zeros without images.
        mean: (E,) float32, mean of all images' unit features, not normalised.
        covariance: (E, E) float32, shrunk covariance of all images' unit features; zeros for one image.
        text: (K, E) float32, unit text feature of each class.
        fingerprint: a hash of the inputs.

    Raises:
        GraphError: sizes do not match, a value is not finite, or there is no class or no image.
    """

    name: str
    class_names: tuple[str, ...]
    metric: str
    counts: np.ndarray
    prototypes: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    text: np.ndarray
    fingerprint: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_names", tuple(self.class_names))
        classes = len(self.class_names)
        if classes == 0:
            raise GraphError(f"Task '{self.name}' has no class; a task embedding needs at least one")
        width = np.shape(self.mean)[-1] if np.ndim(self.mean) else 0
        shapes = {
            "counts": (classes,),
            "prototypes": (classes, width),
            "mean": (width,),
            "covariance": (width, width),
            "text": (classes, width),
        }
        for key, shape in shapes.items():
            value = np.array(getattr(self, key), dtype=np.int64 if key == "counts" else np.float32)
            if value.shape != shape or width == 0:
                raise GraphError(
                    f"Task '{self.name}' has {classes} classes and features of width {width}: '{key}' must have shape "
                    f"{shape}, not {value.shape}"
                )
            if not np.isfinite(value).all():
                raise GraphError(f"Task '{self.name}' has a value in '{key}' that is not finite; embed it again")
            value.setflags(write=False)
            object.__setattr__(self, key, value)
        if self.counts.min() < 0 or self.counts.sum() == 0:
            raise GraphError(f"Task '{self.name}' has no image with a label; a task embedding needs at least one")

    @property
    def width(self) -> int:
        """E."""
        return len(self.mean)

    @property
    def zero_shot(self) -> float:
        """How much the model knows of the task without a prompt: the share of the classes with images whose prototype
        has its own class's text as the nearest."""
        shown = np.flatnonzero(self.counts)
        return float((np.argmax(self.prototypes[shown] @ self.text.T, axis=1) == shown).mean())

    @cached_property
    def root(self) -> np.ndarray:
        """(E, E) float64, a matrix R with R R^T = covariance; see :func:`square_root`."""
        return square_root(self.covariance)

    @classmethod
    def of(
        cls,
        name: str,
        class_names: Sequence[str],
        metric: str,
        features: Any,
        labels: Sequence[int | Sequence[int]],
        text: Any,
        fingerprint: str = "",
    ) -> TaskEmbedding:
        """Computes the statistics of a task's features.

        Args:
            name: the task.
            class_names: its K classes.
            metric: the name of its metric.
            features: (N, E) image features, not zero; they are normalised.
            labels: the class, or the classes, of each image.
            text: (K, E) text feature of each class; normalised.
            fingerprint: a hash of the inputs of the features.

        Raises:
            GraphError: there is no image, a feature is zero or not finite, a label is not a class, or sizes differ.
        """
        features, text = _unit_rows(name, "image", features), _unit_rows(name, "text", text)
        if features.shape[1] != text.shape[1]:
            raise GraphError(
                f"Task '{name}' has image features of width {features.shape[1]} and text features of width "
                f"{text.shape[1]}; both must come from the same model"
            )
        member = _membership(name, labels, len(features), len(class_names))
        sums = member.T @ features
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        return cls(
            name=name,
            class_names=tuple(class_names),
            metric=metric,
            counts=member.sum(axis=0),
            prototypes=np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 1e-12),
            mean=features.mean(axis=0),
            covariance=shrunk_covariance(features),
            text=text,
            fingerprint=fingerprint,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one ``.npz``: the arrays, and a JSON header."""
        header = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "class_names": list(self.class_names),
            "metric": self.metric,
            "fingerprint": self.fingerprint,
        }
        encoded = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        with atomic_write(path, "wb") as handle:
            np.savez(handle, **{HEADER: encoded}, **{key: getattr(self, key) for key in ARRAYS})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TaskEmbedding:
        """Reads what :meth:`save` wrote; executes nothing, and checks sizes before allocating memory.

        Raises:
            GraphError: the file is missing, damaged, of another format or version, or its sizes do not match.
        """
        path, remedy = Path(path), "embed the task again"
        if not path.exists():
            raise GraphError(f"No task embedding at {path}; {remedy}")
        try:
            with open_zip(path, error=GraphError) as archive:
                header = parse_json(_read_array(archive, HEADER, "u").tobytes(), path, error=GraphError, remedy=remedy)
                check_head(
                    header, path, "a task embedding", format=FORMAT, version=VERSION, error=GraphError, remedy=remedy
                )
                arrays = {key: _read_array(archive, key, kind) for key, kind in ARRAYS.items()}
            names = header.get("class_names")
            strings = [header.get("name"), header.get("metric"), header.get("fingerprint")]
            if not isinstance(names, list) or not all(isinstance(string, str) for string in [*strings, *names]):
                raise GraphError("a name is not a string")
            return cls(strings[0], tuple(names), strings[1], fingerprint=strings[2], **arrays)
        except GraphError as error:
            reason = str(error) if str(path) in str(error) else f"{path}: {error}"
            raise GraphError(reason if remedy in reason else f"{reason}; {remedy}") from None


def shrunk_covariance(features: np.ndarray) -> np.ndarray:
    """The covariance of features, shrunk toward a multiple of the identity with the same trace.

    The shrinkage is that of Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices"
    (2004), since a few-shot task has far fewer images than feature dimensions.

    Args:
        features: (N, E).

    Returns:
        (E, E) float64; zeros if N is 1.
    """
    if len(features) == 1:
        return np.zeros((features.shape[1],) * 2)
    from sklearn.covariance import ledoit_wolf

    return ledoit_wolf(features)[0]


def square_root(covariance: np.ndarray) -> np.ndarray:
    """A matrix R with R R^T = C, from the eigenvectors of C; negative eigenvalues, which are rounding, are set to zero.

    Args:
        covariance: (E, E) C, symmetric and positive semidefinite.

    Returns:
        (E, E) float64.
    """
    values, vectors = np.linalg.eigh(np.asarray(covariance, dtype=np.float64))
    return vectors * np.sqrt(values.clip(min=0))


def _unit_rows(task: str, what: str, rows: Any) -> np.ndarray:
    """(N, E) float64 of unit length."""
    rows = np.array(rows, dtype=np.float64)
    if rows.ndim != 2 or 0 in rows.shape:
        raise GraphError(
            f"Task '{task}' has {what} features of shape {rows.shape}; give one row for each, at least one"
        )
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    wrong = ~np.isfinite(lengths[:, 0]) | (lengths[:, 0] == 0)
    if wrong.any():
        raise GraphError(f"Task '{task}' has {what} feature {int(np.argmax(wrong))} that is zero or not finite")
    return rows / lengths


def _membership(task: str, labels: Sequence[int | Sequence[int]], images: int, classes: int) -> np.ndarray:
    """(N, K) int64: 1 where an image has a label."""
    if len(labels) != images:
        raise GraphError(
            f"Task '{task}' has {images} image features and {len(labels)} labels; there must be one for each"
        )
    member = np.zeros((images, classes), dtype=np.int64)
    for row, label in zip(member, labels, strict=True):
        for k in np.atleast_1d(np.asarray(label, dtype=np.int64)):
            if not 0 <= k < classes:
                raise GraphError(f"Task '{task}' has an image of class {k}, but its classes are 0 to {classes - 1}")
            row[k] = 1
    return member


def _read_array(archive: zipfile.ZipFile, key: str, kind: str) -> np.ndarray:
    """One array of an ``.npz``; its header must match the number of bytes."""
    name, held = f"{key}.npy", MAX_BYTES
    with open_entry(archive, name, error=GraphError, largest=held) as handle:
        read_array_header(handle, kind, min(held, archive.getinfo(name).file_size))
    with open_entry(archive, name, error=GraphError, largest=held) as handle:
        return np.lib.format.read_array(handle, allow_pickle=False)
