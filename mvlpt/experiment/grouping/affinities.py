"""The affinity that a grouping asks for: read from results, kept from an earlier graph, or computed.

Shapes: T tasks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvlpt.config import Config
from mvlpt.experiment.grouping.gains import read_gains
from mvlpt.experiment.grouping.options import GroupingOptions
from mvlpt.experiment.grouping.progress import ProgressBars
from mvlpt.experiment.grouping.prompt_losses import affinity_config, task_losses
from mvlpt.experiment.grouping.sources import GraphInputs
from mvlpt.graph import TaskEmbedding
from mvlpt.graph.affinity import gradient_affinity, lookahead_affinity, transferability_affinity

RECIPE = 1  # of similarities and affinities; a graph with another number is computed again


@dataclass(frozen=True)
class AffinityUpdate:
    """An affinity of a task graph.

    Attributes:
        name: in the graph, such as ``grad.MVLPT-VPT``.
        matrix: (T, T) directed, ``None`` where the earlier graph's is still right.
        fingerprint: SHA-256 over everything it depends on; ``""`` for one that is read from results.
    """

    name: str
    matrix: np.ndarray | None = None
    fingerprint: str = ""


def updated_affinity(
    inputs: GraphInputs,
    options: GroupingOptions,
    embeddings: Sequence[TaskEmbedding],
    fingerprints: Mapping[str, str],
    progress: ProgressBars,
) -> AffinityUpdate:
    """The affinity that the options ask for.

    Args:
        inputs: tasks, model and trainer.
        options: which affinity, and at how many steps.
        embeddings: of the T tasks, in their order.
        fingerprints: of the affinities that the earlier graph holds, by name.
        progress: makes a progress bar.

    Raises:
        MvlptError: results lack runs, or the trainer tunes no prompt that affinities can be computed for.
    """
    if options.affinity == "measured":
        matrix, trainer = read_gains(options.results, [one.name for one in embeddings], inputs.cfg.TRAINER.NAME)
        return AffinityUpdate(f"measured.{trainer}" if trainer else "measured", matrix)
    cfg = affinity_config(inputs.cfg)
    name = f"{options.affinity}.{cfg.TRAINER.NAME}"
    fingerprint = _fingerprint(cfg, options, embeddings)
    if fingerprints.get(name) == fingerprint:
        return AffinityUpdate(name, None, fingerprint)
    losses, optimizer = task_losses(cfg, inputs.sources)
    measures = {"grad": gradient_affinity, "lookahead": lookahead_affinity, "panda": transferability_affinity}
    measure = measures[options.affinity]
    with progress(f"affinities of {cfg.TRAINER.NAME}") as moved:
        matrix = measure(losses, lr=cfg.OPTIM.LR, steps=options.affinity_steps, optimizer=optimizer, progress=moved)
    return AffinityUpdate(name, matrix, fingerprint)


def _fingerprint(cfg: Config, options: GroupingOptions, embeddings: Sequence[TaskEmbedding]) -> str:
    """SHA-256 over everything an affinity depends on."""
    relevant = {key: str(value) for key, value in cfg.flat().items() if key.startswith(("TRAINER.", "OPTIM.", "SEED"))}
    inputs = sorted((embedding.name, embedding.fingerprint) for embedding in embeddings)
    content: list[Any] = [RECIPE, options.affinity, options.affinity_steps, relevant, inputs]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
