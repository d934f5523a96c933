"""A tuned prompt or trained run as a classifier, with scikit-learn's names where they fit.

Shapes: N images, B images of a batch, K classes, E features.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mvlpt.data import TaskInfo
from mvlpt.errors import ConfigError, DataError, suggest
from mvlpt.inference.inputs import each_image, to_pixels
from mvlpt.inference.preprocessing import Preprocessing
from mvlpt.inference.scorers import Scorer
from mvlpt.inference.stream import Prepared, prepared_batches
from mvlpt.io import counted, first_line

BATCH_SIZE = 64
WORKERS = 2

Make = Callable[[torch.device], tuple[Scorer, Preprocessing]]


class Scored(NamedTuple):
    """One image and its scores.

    Attributes:
        image: as it was given.
        logits: (K,), float32; ``None`` where the image cannot be read.
        error: why it cannot be read; ``None`` if it can.
    """

    image: Any
    logits: NDArray[np.float32] | None
    error: DataError | None

    def best(self, count: int) -> Best:
        """The ``count`` best classes of an image that could be read."""
        probabilities = torch.from_numpy(self.logits).softmax(dim=0)
        values, classes = probabilities.topk(count)
        return Best(classes.tolist(), values.tolist())


class Best(NamedTuple):
    """The best classes of an image.

    Attributes:
        classes: their numbers, the best first.
        probabilities: theirs.
    """

    classes: list[int]
    probabilities: list[float]


class Classifier:
    """Classifies images by a tuned prompt, or by any trained run. Made by :func:`mvlpt.load`.

    Every method that takes images takes files, a folder, PIL images, arrays (H, W, 3) of uint8, or tensors (3, H, W)
    that :attr:`preprocess` made; one, a batch, or anything that can be iterated over.

    Args:
        task: the classes.
        make: from a device to the model on it, and the preprocessing of its images.
        device: where it computes.

    Attributes:
        task: name of the task, its classes, its metric.
        preprocess: from an RGB image to the model's input (3, H, W), as the run prepared its test images.
    """

    def __init__(self, task: TaskInfo, make: Make, device: torch.device) -> None:
        self.task = task
        self._make = make
        self._scorer, self.preprocess = make(device)

    def __repr__(self) -> str:
        backbone = self.backbone.name if self.backbone is not None else "no backbone"
        return f"Classifier({self.task.name!r}, {counted(len(self.class_names), 'class')}, {backbone}, {self.device})"

    # What it is ----------------------------------------------------------------------------------------------

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of the scores."""
        return self.task.classnames

    @property
    def classes_(self) -> NDArray[np.str_]:
        """The same as an array, under scikit-learn's name."""
        return np.array(self.class_names)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._scorer.device

    @property
    def model(self) -> Any:
        """The module with the trained part: a :class:`mvlpt.models.PromptedCLIP` for prompts."""
        return self._scorer.model

    @property
    def backbone(self) -> Any:
        """The frozen :class:`mvlpt.models.Backbone`; ``None`` for a trainer that has none."""
        return self._scorer.backbone

    @property
    def logit_scale(self) -> float:
        """The factor between cosines and logits, CLIP's inverse temperature: probabilities are their softmax."""
        return float(self.backbone.logit_scale.exp()) if self.backbone is not None else 1.0

    def to(self, device: str | torch.device) -> Classifier:
        """Moves it to a device, such as ``"cuda"``; returns itself.

        Raises:
            ConfigError: there is no such device.
        """
        wanted = checked_device(device)
        if wanted != self.device and not (wanted.type == self.device.type and wanted.index is None):
            self._scorer, self.preprocess = self._make(wanted)
        return self

    def class_weights(self) -> Tensor:
        """(K, E) with ``logits = logit_scale * image_features @ class_weights.T + class_bias``.

        For prompts these are the text features of the classes.

        Raises:
            PromptError: the method has no fixed ones, as CoCoOp, whose text features depend on the image.
        """
        return self._scorer.class_weights()[0]

    def class_bias(self) -> Tensor:
        """(K,), zeros but for linear probes; errors as :meth:`class_weights`."""
        return self._scorer.class_weights()[1]

    # What it computes ----------------------------------------------------------------------------------------

    def stream(self, images: Any, *, batch_size: int = BATCH_SIZE, workers: int = WORKERS) -> Iterator[Scored]:
        """Scores images one after the other, in constant memory; an unreadable one comes with its error.

        Args:
            images: as all methods take them; what gives them is read lazily, at most two batches ahead.
            batch_size: images in a pass of the model.
            workers: threads that read images; 0 reads them between the passes.

        Raises:
            DataError: ``images`` is nothing of this kind, or a batch size below 1.
        """
        for batch in self._prepared(images, batch_size, workers):
            rows = iter(() if batch.pixels is None else self._scorer.logits(batch.pixels).cpu().numpy())
            for image, error in zip(batch.images, batch.errors, strict=True):
                yield Scored(image, next(rows) if error is None else None, error)

    def logits(self, images: Any, *, batch_size: int = BATCH_SIZE, workers: int = WORKERS) -> Tensor:
        """(N, K), float32, on the CPU.

        Raises:
            DataError: an image cannot be read.
        """
        rows = []
        for scored in self.stream(images, batch_size=batch_size, workers=workers):
            if scored.error is not None:
                raise scored.error
            rows.append(torch.from_numpy(scored.logits))
        return torch.stack(rows) if rows else torch.empty(0, len(self.class_names))

    def image_features(self, images: Any, *, batch_size: int = BATCH_SIZE, workers: int = WORKERS) -> Tensor:
        """(N, E) of length one, with the visual prompt, if there is one; errors as :meth:`logits`."""
        parts = []
        for batch in self._prepared(images, batch_size, workers):
            failed = next((error for error in batch.errors if error is not None), None)
            if failed is not None:
                raise failed
            parts.append(self._scorer.image_features(batch.pixels).cpu())
        return torch.cat(parts) if parts else torch.empty(0, 0)

    def _prepared(self, images: Any, batch_size: int, workers: int) -> Iterator[Prepared]:
        """The model's input for all images; see :meth:`stream`."""
        if batch_size < 1:
            raise DataError(f"A batch needs at least one image, not {batch_size}")
        prepare = partial(to_pixels, preprocess=self.preprocess)
        return prepared_batches(each_image(images), prepare, batch_size, workers)

    def predict_proba(self, images: Any, *, batch_size: int = BATCH_SIZE, workers: int = WORKERS) -> NDArray:
        """(N, K): the softmax of the logits; errors as :meth:`logits`."""
        return self.logits(images, batch_size=batch_size, workers=workers).softmax(dim=1).numpy()

    def predict(self, images: Any, *, batch_size: int = BATCH_SIZE, workers: int = WORKERS) -> NDArray[np.str_]:
        """(N,) names of the best classes; errors as :meth:`logits`."""
        return self.classes_[self.logits(images, batch_size=batch_size, workers=workers).argmax(dim=1).numpy()]

    def score(self, images: Any, labels: Iterable[str | int], **options: Any) -> float:
        """The share of images whose best class is their label; NaN without images.

        Args:
            images: as all methods take them.
            labels: (N,) names of classes, or their numbers.
            options: ``batch_size`` and ``workers``.

        Raises:
            DataError: there are not as many labels as images, a label is no class, or an image cannot be read.
        """
        names = [self._label_name(label) for label in labels]
        predicted = self.predict(images, **options)
        if len(names) != len(predicted):
            raise DataError(f"There are {len(predicted)} images, but {len(names)} labels")
        return float(np.mean(np.array(names) == predicted)) if names else math.nan

    def _label_name(self, label: Any) -> str:
        """The name of the class that a label, a name or a number, is.

        Raises:
            DataError: it is none.
        """
        if isinstance(label, str):
            if label in self.class_names:
                return str(label)
            raise DataError(f"No class of '{self.task.name}' is named '{label}'{suggest(label, self.class_names)}")
        try:
            number = int(label)
            if number == label and 0 <= number < len(self.class_names):
                return self.class_names[number]
        except (TypeError, ValueError, OverflowError):
            pass
        raise DataError(
            f"The label {label!r:.60} is no class: give a name, or a whole number from 0 to {len(self.class_names) - 1}"
        )


def checked_device(device: str | torch.device | None) -> torch.device:
    """A device that is there; for ``None`` a GPU, or else the CPU.

    Raises:
        ConfigError: there is no such device.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        wanted = torch.device(device)
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise ConfigError(f"The device '{device}' cannot be used ({first_line(error, 120)}); take cpu") from None
    return wanted
