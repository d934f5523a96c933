"""A task before any prompt is tuned: statistics of its frozen features, and their cache on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.graph.embeddings.cache import EmbeddingCache
    from mvlpt.graph.embeddings.embed import TaskSource, embed_tasks
    from mvlpt.graph.embeddings.embedding import TaskEmbedding

__all__ = [
    "EmbeddingCache",
    "TaskEmbedding",
    "TaskSource",
    "embed_tasks",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "EmbeddingCache": "cache",
        "TaskSource": "embed",
        "embed_tasks": "embed",
        "TaskEmbedding": "embedding",
    },
)
