"""The task graph: what tasks have in common, and which of them should share a prompt.

Pure functions of arrays; no configuration, model or data set is needed for any of it.
"""

from __future__ import annotations

from mvlpt.graph.embedding import TaskEmbedding

__all__ = ["TaskEmbedding"]
