"""How well the surrogate knows the gains of all pairs from a share of their runs.

Shapes: T tasks, S seeds, R pairs of tasks.
"""

from __future__ import annotations

import itertools
import warnings

import numpy as np

from benchmarks.sharing_statistics import within_rho, within_target
from mvlpt.graph.choice import Candidate, predict_gains


def surrogate_rho(
    gains: np.ndarray,
    share: float,
    similarity: np.ndarray | None = None,
    affinity: np.ndarray | None = None,
    draws: int = 3,
    seed: int = 0,
) -> float:
    """Rank correlation within targets of predicted gains with those of the runs that the prediction has not seen.

    Which pairs are run is drawn for each seed anew; the gain of a pair is then the mean over the other seeds. What all
    partners of a target have in common with a seed, such as the luck of its prompt alone, is taken off before: it would
    set apart the runs that are seen from those that are not.

    Args:
        gains: (T, T, S) of each source for each target, NaN on the diagonal.
        share: of the pair runs of every seed.
        similarity, affinity: (T, T) of the tasks, for the surrogate.
        draws: of the runs; the mean over them is returned.
        seed: of the draws.
    """
    gains = within_target(gains)
    pairs = np.array(list(itertools.combinations(range(len(gains)), 2)))
    off = ~np.eye(len(gains), dtype=bool)
    noise = float(gains[off].var(axis=1, ddof=1).mean())
    rng, found = np.random.default_rng(seed), []
    for _ in range(draws):
        known = np.full(gains.shape, np.nan)
        for column in range(gains.shape[2]):
            i, j = rng.permutation(pairs)[: round(share * len(pairs))].T
            known[i, j, column], known[j, i, column] = gains[i, j, column], gains[j, i, column]
        with warnings.catch_warnings():  # the diagonal, and a pair that was run with every seed
            warnings.simplefilter("ignore", RuntimeWarning)
            unseen = np.nanmean(np.where(np.isnan(known), gains, np.nan), axis=2, keepdims=True)
        found.append(within_rho(predicted_gains(known, noise, similarity, affinity), unseen))
    return float(np.mean(found))


def one_seed_rho(gains: np.ndarray) -> float:
    """Rank correlation within targets of all pairs with one seed with the mean over the others; a mean over seeds.

    Args:
        gains: (T, T, S) of each source for each target, NaN on the diagonal.
    """
    seeds = range(gains.shape[2])
    return float(np.mean([within_rho(gains[:, :, s], np.delete(gains, s, axis=2)) for s in seeds]))


def predicted_gains(
    known: np.ndarray, noise: float, similarity: np.ndarray | None = None, affinity: np.ndarray | None = None
) -> np.ndarray:
    """The gain (T, T) of every source for every target.

    Args:
        known: (T, T, S) measured gains, NaN where not measured.
        noise: variance of one of them.
        similarity, affinity: (T, T) of the tasks; ``None`` if it is not known.
    """
    size = len(known)
    tasks = [f"t{i:02}" for i in range(size)]
    pairs = list(itertools.combinations(range(size), 2))
    candidates = [Candidate("single", tuple((task,) for task in tasks))]
    for i, j in pairs:
        rest = tuple((task,) for k, task in enumerate(tasks) if k not in (i, j))
        candidates.append(Candidate(f"{i}+{j}", ((tasks[i], tasks[j]), *rest)))
    counts = (~np.isnan(known)).sum(axis=2)
    means = np.where(counts > 0, np.nansum(known, axis=2) / np.maximum(counts, 1), np.nan)
    errors = np.where(counts > 0, np.sqrt(noise / np.maximum(counts, 1)), np.nan)
    i, j = np.array(pairs).T
    rows = np.arange(1, len(candidates))
    table = np.full((2, len(candidates), size), np.nan)
    table[:, 0] = 0.0
    table[:, rows, j] = means[i, j], errors[i, j]
    table[:, rows, i] = means[j, i], errors[j, i]
    predicted = predict_gains(candidates, tasks, *table, affinity, similarity).scores
    found = np.full((size, size), np.nan)
    found[i, j], found[j, i] = predicted[rows, j], predicted[rows, i]
    return found
