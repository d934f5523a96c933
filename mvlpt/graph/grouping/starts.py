"""Where heuristics begin: communities, spectral and hierarchical clusters of the blocks, whatever the limits.

Only weights above 0, pairs that gain by sharing a group, are edges. Every method sees the blocks in their one order and
draws from a named stream, so its answer depends on neither the order of the tasks nor the process.
Shapes: B blocks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable

import networkx as nx
import numpy as np

from mvlpt.graph.grouping.blocks import Problem, numbered
from mvlpt.randomness import derive_seed, python_stream

EDGES = 30  # of each block, the strongest, that communities are found by where there are more than DENSE blocks
DENSE = 200
CUTS = 32  # numbers of groups that the spectral method tries at most


def louvain(problem: Problem, seed: int) -> np.ndarray:
    """Communities by the Louvain method (Blondel et al., 2008), networkx."""
    graph = _graph(problem)
    found = nx.community.louvain_communities(graph, seed=derive_seed("grouping", "louvain", seed) % 2**32)
    return _labels(found, len(problem))


def greedy(problem: Problem, seed: int) -> np.ndarray:
    """Communities by greedy mergers (Clauset, Newman and Moore, 2004), networkx."""
    graph = _graph(problem)
    if not graph.number_of_edges():
        return np.arange(len(problem))
    wanted = min(problem.fewest, len(problem))
    found = nx.community.greedy_modularity_communities(graph, weight="weight", cutoff=wanted)
    return _labels(found, len(problem))


def spectral(problem: Problem, seed: int) -> np.ndarray:
    """Clusters of the normalised graph's leading eigenvectors (Ng, Jordan and Weiss, 2002), k-means of scikit-learn.

    Every number of groups that is allowed is tried, up to :data:`CUTS` (beyond :data:`DENSE` blocks only some, a
    quarter apart), and the one that scores best is taken.
    """
    from scipy.linalg import eigh
    from sklearn.cluster import KMeans

    number = len(problem)
    edges = np.maximum(mean_weights(problem), 0.0)
    degree = edges.sum(axis=1)
    if number < 3 or not degree.any():
        return np.arange(number)
    scale = 1.0 / np.sqrt(np.where(degree > 0, degree, 1.0))
    most = min(problem.most, number - 1, max(CUTS, problem.fewest))
    fewest = min(problem.fewest, most)
    _, vectors = eigh(scale[:, None] * edges * scale, subset_by_index=[number - most, number - 1])
    vectors = vectors[:, ::-1]
    vectors = vectors * np.where(vectors[np.abs(vectors).argmax(axis=0), np.arange(most)] < 0, -1.0, 1.0)
    candidates = []
    for count in _counts(fewest, most, every=number <= DENSE):
        rows = vectors[:, :count]
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        means = KMeans(count, n_init=3, random_state=derive_seed("grouping", "spectral", seed, count) % 2**32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fewer distinct rows than clusters
            candidates.append(means.fit_predict(rows.round(9)))
    return _best(problem, candidates)


def agglomerative(problem: Problem, seed: int) -> np.ndarray:
    """Average linkage (Sokal and Michener, 1958), scipy, cut where it scores best among the numbers allowed."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    number = len(problem)
    if number < 2:
        return np.zeros(number, dtype=np.int64)
    distance = mean_weights(problem)
    distance = distance.max() - distance
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="average")
    weights = np.zeros((2 * number - 1, 2 * number - 1))
    weights[:number, :number] = problem.weights
    score, scores = 0.0, [0.0]
    for step, (left, right) in enumerate(tree[:, :2].astype(int)):  # each merger gains what lies between the two
        score += weights[left, right]
        scores.append(score)
        joined = weights[left] + weights[right]
        weights[number + step], weights[:, number + step] = joined, joined
    counts = range(min(problem.fewest, number), min(problem.most, number) + 1)
    count = max(counts, key=lambda count: (scores[number - count], -count))
    return _cut(tree, number, count)


def shuffled(problem: Problem, seed: int, like: np.ndarray | None = None) -> np.ndarray:
    """Blocks dealt out at random: to groups as large as those of ``like``, or equally where there is none."""
    labels = np.arange(len(problem)) % problem.most if like is None else numbered(like)
    dealt = sorted(labels.tolist())
    python_stream("grouping", "random", seed).shuffle(dealt)
    return numbered(np.array(dealt))


STARTS: dict[str, Callable[[Problem, int], np.ndarray]] = {
    "louvain": louvain,
    "greedy": greedy,
    "spectral": spectral,
    "agglomerative": agglomerative,
}


def mean_weights(problem: Problem) -> np.ndarray:
    """(B, B) the mean weight of the pairs between two blocks, largest of size 1; zeros on the diagonal."""
    means = problem.weights / (problem.sizes[:, None] * problem.sizes)
    return means / max(np.abs(means).max(), 1.0)


def _graph(problem: Problem) -> nx.Graph:
    """The pairs that gain by sharing a group."""
    weights = np.maximum(problem.weights, 0.0) / max(problem.weights.max(), 1.0)
    if len(problem) > DENSE:
        ranks = np.argsort(np.argsort(-weights, axis=1, kind="stable"), axis=1, kind="stable")
        weights = np.where((ranks < EDGES) | (ranks.T < EDGES), weights, 0.0)
    graph = nx.Graph()
    graph.add_nodes_from(range(len(problem)))
    first, second = np.nonzero(np.triu(weights, 1))
    graph.add_weighted_edges_from(
        zip(first.tolist(), second.tolist(), weights[first, second].tolist(), strict=True), weight="weight"
    )
    return graph


def _labels(groups: Iterable[Iterable[int]], number: int) -> np.ndarray:
    labels = np.zeros(number, dtype=np.int64)
    for label, group in enumerate(groups):
        labels[list(group)] = label
    return numbered(labels)


def _counts(fewest: int, most: int, *, every: bool) -> list[int]:
    """The numbers of groups to try: every one, or each a quarter larger than the one before."""
    counts = [fewest]
    while counts[-1] < most:
        counts.append(min(most, counts[-1] + 1 if every else max(counts[-1] + 1, round(counts[-1] * 1.25))))
    return counts


def _best(problem: Problem, candidates: list[np.ndarray]) -> np.ndarray:
    """The candidate that scores best; the one with fewer groups among equals."""
    scores = [(problem.score(labels), -int(labels.max())) for labels in candidates]
    return numbered(candidates[scores.index(max(scores))])


def _cut(tree: np.ndarray, number: int, count: int) -> np.ndarray:
    """The clusters of a dendrogram when ``count`` are left."""
    labels = np.arange(2 * number - 1)
    for step in range(number - count):
        left, right = tree[step, :2].astype(int)
        labels[(labels == labels[left]) | (labels == labels[right])] = number + step
    return numbered(labels[:number])
