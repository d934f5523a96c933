"""Task embeddings on disk: a file for each task and its inputs, so only a changed task is computed again."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mvlpt.data import Datum
from mvlpt.data.features import fingerprint_items
from mvlpt.errors import GraphError
from mvlpt.graph.embeddings.embedding import TaskEmbedding
from mvlpt.io import file_name

log = logging.getLogger(__name__)

VERSION = 1  # of the computation; a new one invalidates every file


def embedding_fingerprint(
    backbone: str,
    items: Sequence[Datum],
    class_names: Sequence[str],
    templates: Sequence[str],
    metric: str,
    transform: Any,
) -> str:
    """SHA-256 of everything that a task embedding depends on, except the device.

    Args:
        backbone: the backbone's fingerprint and data types.
        items: the task's images with their labels; files are identified by path, size and modification time.
        class_names: the task's classes.
        templates: the prompt templates of class names.
        metric: the task's metric, which the embedding stores.
        transform: from an image to a tensor; identified by its string form, which lists every step with its options.
    """
    parts = [VERSION, backbone, fingerprint_items(items), list(class_names), list(templates), metric, str(transform)]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()


class EmbeddingCache:
    """A folder of task embeddings.

    Args:
        folder: created with the first embedding; ``None`` stores nothing.
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        self.folder = None if folder is None else Path(folder)

    def path(self, name: str, fingerprint: str) -> Path:
        """The file of a task's embedding; characters that a file name cannot have are replaced."""
        return (self.folder or Path()) / file_name(name, f"-{fingerprint[:16]}.npz")

    def get(self, name: str, fingerprint: str) -> TaskEmbedding | None:
        """The embedding computed from these inputs; ``None`` if there is none or its file is damaged."""
        if self.folder is None:
            return None
        path = self.path(name, fingerprint)
        if not path.exists():
            return None
        try:
            found = TaskEmbedding.load(path)
        except GraphError as error:
            log.warning("%s; it is computed again", error)
            return None
        return found if (found.name, found.fingerprint) == (name, fingerprint) else None

    def put(self, embedding: TaskEmbedding) -> None:
        """Stores an embedding under its name and fingerprint."""
        if self.folder is not None:
            embedding.save(self.path(embedding.name, embedding.fingerprint))
