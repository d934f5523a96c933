"""From tasks to their embeddings: images and class names through the frozen backbone.

Shapes: B batch, N images of a task, K classes of a task, E feature width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mvlpt.data.datum import labels_of
from mvlpt.data.features.cache import encode_views
from mvlpt.errors import DataError, GraphError
from mvlpt.graph.embeddings.cache import EmbeddingCache, embedding_fingerprint
from mvlpt.graph.embeddings.embedding import TaskEmbedding
from mvlpt.models import Backbone, zero_shot_text_features


@dataclass(frozen=True)
class TaskSource:
    """What a task embedding is computed from.

    Attributes:
        name: the task.
        class_names: its K classes, in label order.
        images: a map-style data set with ``data_source`` (the items) and ``transform`` (to tensors (3, H, W), the same
            each time), such as :class:`mvlpt.data.loading.wrapper.DatasetWrapper` over the few-shot training images.
        templates: sentences with ``{}`` where a class name goes; their text features are averaged.
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
    """The embeddings of some tasks.

    Attributes:
        embeddings: one for each task, in their order.
        computed: names of the tasks that were computed; the others came from the cache.
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
    """Embeds tasks; those whose inputs have not changed come from the cache.

    Every image of a task that is computed is read once. An embedding is kept as soon as it is there, so that an
    interrupted call loses one task at most.

    Args:
        backbone: the frozen model, on the device to compute on.
        sources: the tasks, of different names.
        cache: where embeddings are kept.
        batch_size: images at a time.
        num_workers: processes that read images.
        on_bad_image: ``error``, or ``skip`` to leave out images that cannot be read.
        progress: called with the images done and their number over all tasks that are computed.

    Raises:
        GraphError: two tasks of one name, or a task without training images.
        DataError: an image cannot be read.
    """
    names = [source.name for source in sources]
    for source in sources:
        if names.count(source.name) > 1:
            raise GraphError(f"Two tasks are named '{source.name}'; give each task a name of its own")
        if not source.images.data_source:
            raise GraphError(
                f"Task '{source.name}' has no training images to embed; check its train split, or leave the task out"
            )
    cache = cache or EmbeddingCache(None)
    marks = [source.fingerprint(backbone) for source in sources]
    found = [cache.get(source.name, mark) for source, mark in zip(sources, marks, strict=True)]
    total = sum(len(s.images.data_source) for s, kept in zip(sources, found, strict=True) if kept is None)
    done, computed = 0, []
    for place, (source, mark) in enumerate(zip(sources, marks, strict=True)):
        if found[place] is not None:
            continue
        moved = None if progress is None else lambda count, _, start=done: progress(start + count, total)
        found[place] = _embed(backbone, source, mark, batch_size, num_workers, on_bad_image, moved)
        cache.put(found[place])
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
    read = [place for place in range(len(bank)) if place not in bank.missing]
    with torch.no_grad():
        text = zero_shot_text_features(backbone, source.class_names, source.templates)
    return TaskEmbedding.of(
        source.name,
        source.class_names,
        source.metric,
        bank.features[0, read].cpu().numpy(),
        [labels_of(source.images.data_source[place]) for place in read],
        text.float().cpu().numpy(),
        fingerprint,
    )
