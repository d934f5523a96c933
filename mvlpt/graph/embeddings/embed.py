"""Computes task embeddings: images and class names through the frozen backbone.

Shapes: B batch, N images of a task, K classes of a task, E feature width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mvlpt.data import labels_of
from mvlpt.data.features import encode_views
from mvlpt.errors import DataError, GraphError
from mvlpt.graph.embeddings.cache import EmbeddingCache, embedding_fingerprint
from mvlpt.graph.embeddings.embedding import TaskEmbedding
from mvlpt.models import Backbone, zero_shot_text_features


@dataclass(frozen=True)
class TaskSource:
    """The inputs of a task embedding.

    Attributes:
        name: the task.
        class_names: its K classes, in label order.
        images: a map-style data set with ``data_source`` (the items) and ``transform`` (to tensors (3, H, W),
            deterministic), such as :class:`mvlpt.data.DatasetWrapper` over the few-shot training images.
        templates: with ``{}`` for the class name; their text features are averaged.
        metric: the name of its metric.
    """

    name: str
    class_names: tuple[str, ...]
    images: Any
    templates: tuple[str, ...] = ("a photo of a {}.",)
    metric: str = "accuracy"

    def fingerprint(self, backbone: Backbone) -> str:
        """See :func:`mvlpt.graph.embeddings.cache.embedding_fingerprint`."""
        weights = f"{backbone.fingerprint} {backbone.image_dtype} {backbone.text_dtype}"
        items, transform = self.images.data_source, self.images.transform
        return embedding_fingerprint(weights, items, self.class_names, self.templates, self.metric, transform)


@dataclass(frozen=True)
class Embedded:
    """The result of :func:`embed_tasks`.

    Attributes:
        embeddings: one for each task, in order.
        computed: names of the tasks that were not in the cache.
    """

    embeddings: tuple[TaskEmbedding, ...]
    computed: tuple[str, ...]


def embed_tasks(
    backbone: Backbone,
    sources: Sequence[TaskSource],
    *,
    cache: EmbeddingCache | None = None,
    batch_size: int = 256,
    num_workers: int = 0,
    on_bad_image: str = "error",
    progress: Callable[[int, int], None] | None = None,
) -> Embedded:
    """Embeds tasks; those with unchanged inputs come from the cache.

    Each image is read once. Every embedding is stored as soon as it is computed, so an interrupted call loses at most
    one task.

    Args:
        backbone: the frozen model, on the device to compute on.
        sources: the tasks, with different names.
        cache: where embeddings are stored.
        batch_size: images at a time.
        num_workers: processes that load images.
        on_bad_image: ``error``, or ``skip`` to ignore images that cannot be read.
        progress: called with the number of images done and their total over all tasks to compute.

    Raises:
        GraphError: two tasks have the same name, or a task has no training images.
        DataError: an image cannot be read.
    """
    names = [source.name for source in sources]
    for source in sources:
        if names.count(source.name) > 1:
            raise GraphError(f"Two tasks are named '{source.name}'; give each task a name of its own")
        if not source.images.data_source:
            raise GraphError(
                f"Task '{source.name}' has no training images to embed; check its train split, or omit the task"
            )
    cache = cache or EmbeddingCache(None)
    fingerprints = [source.fingerprint(backbone) for source in sources]
    found = [cache.get(source.name, key) for source, key in zip(sources, fingerprints, strict=True)]
    total = sum(len(s.images.data_source) for s, cached in zip(sources, found, strict=True) if cached is None)
    done, computed = 0, []
    for i, (source, fingerprint) in enumerate(zip(sources, fingerprints, strict=True)):
        if found[i] is not None:
            continue
        advance = None if progress is None else lambda count, _, start=done: progress(start + count, total)
        found[i] = _embed(backbone, source, fingerprint, batch_size, num_workers, on_bad_image, advance)
        cache.put(found[i])
        done += len(source.images.data_source)
        computed.append(source.name)
    return Embedded(tuple(found), tuple(computed))


def _embed(
    backbone: Backbone,
    source: TaskSource,
    fingerprint: str,
    batch_size: int,
    num_workers: int,
    on_bad_image: str,
    progress: Callable[[int, int], None] | None,
) -> TaskEmbedding:
    def encode(images: Tensor) -> Tensor:
        return backbone.encode_image(images).float()

    try:
        bank = encode_views(
            source.images,
            encode,
            batch_size=batch_size,
            num_workers=num_workers,
            on_bad_image=on_bad_image,
            progress=progress,
        )
    except DataError as error:
        raise DataError(f"Task '{source.name}' cannot be embedded: {error}") from error
    read = [i for i in range(len(bank)) if i not in bank.missing]
    with torch.no_grad():
        text = zero_shot_text_features(backbone, source.class_names, source.templates)
    return TaskEmbedding.of(
        source.name,
        source.class_names,
        source.metric,
        bank.features[0, read].cpu().numpy(),
        [labels_of(source.images.data_source[i]) for i in read],
        text.float().cpu().numpy(),
        fingerprint,
    )
