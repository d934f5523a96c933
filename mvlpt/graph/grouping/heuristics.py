"""Partitions that need not be optimal: communities and clusters of the units, brought within the limits and improved.

Only weights above 0, pairs that gain by sharing a group, are edges of the graph. Every start sees the units in one
order and draws from a named random stream, so the result depends on neither the order of the tasks nor the process.
Shapes: U units.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable

import networkx as nx
import numpy as np

from mvlpt.graph.grouping.local_search import improve, iterated_local_search, repair
from mvlpt.graph.grouping.problem import Problem, renumber
from mvlpt.randomness import derive_seed

DENSE = 200  # units up to which communities are found on all edges
EDGES = 30  # beyond, on the strongest edges of each unit
MAX_CLUSTERS = 32  # the most clusters that the spectral start tries
TRIED = ("agglomerative", "louvain", "spectral", "greedy")  # by the best of the heuristics, in this order
SLOW, LARGE = "greedy", 400  # not tried for more units than this


def heuristic_labels(problem: Problem, method: str, seed: int = 0) -> np.ndarray:
    """The groups of one heuristic.

    Args:
        problem: the problem to solve.
        method: a key of :data:`STARTS`.
        seed: of its random numbers.

    Returns:
        (U,) labels that satisfy the limits.

    Raises:
        GraphError: no groups satisfy the limits, or none were found.
    """
    return improve(problem, repair(problem, STARTS[method](problem, seed)))


def best_heuristic(problem: Problem, seed: int = 0) -> tuple[np.ndarray, str]:
    """The best groups of several heuristics, improved by iterated local search, and the name of the heuristic.

    Raises:
        GraphError: no groups satisfy the limits, or none were found.
    """
    methods = [method for method in TRIED if method != SLOW or len(problem) <= LARGE]
    found = [heuristic_labels(problem, method, seed) for method in methods]
    best = int(np.argmax([problem.score(labels) for labels in found]))
    return iterated_local_search(problem, found[best], seed), methods[best]


def louvain(problem: Problem, seed: int) -> np.ndarray:
    """Communities by the Louvain method (Blondel et al., 2008), from networkx."""
    graph = _graph(problem)
    found = nx.community.louvain_communities(graph, seed=derive_seed("grouping", "louvain", seed) % 2**32)
    return _labels(found, len(problem))


def greedy(problem: Problem, seed: int) -> np.ndarray:
    """Communities by greedy mergers (Clauset, Newman and Moore, 2004), from networkx."""
    graph = _graph(problem)
    if not graph.number_of_edges():
        return np.arange(len(problem))
    wanted = min(problem.min_groups, len(problem))
    found = nx.community.greedy_modularity_communities(graph, weight="weight", cutoff=wanted)
    return _labels(found, len(problem))


def spectral(problem: Problem, seed: int) -> np.ndarray:
    """Clusters of the normalised graph's leading eigenvectors (Ng, Jordan and Weiss, 2002), by scikit-learn's k-means.

    Every allowed number of groups up to :data:`MAX_CLUSTERS` is tried (beyond :data:`DENSE` units in steps of a
    quarter), and the one with the best score is returned.
    """
    from scipy.linalg import eigh
    from sklearn.cluster import KMeans

    number = len(problem)
    edges = np.maximum(mean_weights(problem), 0.0)
    degree = edges.sum(axis=1)
    if number < 3 or not degree.any():
        return np.arange(number)
    scale = 1.0 / np.sqrt(np.where(degree > 0, degree, 1.0))
    most = min(problem.max_groups, number - 1, max(MAX_CLUSTERS, problem.min_groups))
    fewest = min(problem.min_groups, most)
    _, vectors = eigh(scale[:, None] * edges * scale, subset_by_index=[number - most, number - 1])
    vectors = vectors[:, ::-1]
    vectors = vectors * np.where(vectors[np.abs(vectors).argmax(axis=0), np.arange(most)] < 0, -1.0, 1.0)
    candidates = []
    for count in _cluster_counts(fewest, most, every=number <= DENSE):
        rows = vectors[:, :count]
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        kmeans = KMeans(count, n_init=3, random_state=derive_seed("grouping", "spectral", seed, count) % 2**32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fewer distinct rows than clusters
            candidates.append(kmeans.fit_predict(rows.round(9)))
    return renumber(max(candidates, key=lambda labels: (problem.score(labels), -int(labels.max()))))


def agglomerative(problem: Problem, seed: int) -> np.ndarray:
    """Average linkage (Sokal and Michener, 1958), from scipy, cut at the allowed number of groups that scores best."""
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
    for step, (left, right) in enumerate(tree[:, :2].astype(int)):  # a merger gains the weight between its two parts
        score += weights[left, right]
        scores.append(score)
        joined = weights[left] + weights[right]
        weights[number + step], weights[:, number + step] = joined, joined
    counts = range(min(problem.min_groups, number), min(problem.max_groups, number) + 1)
    count = max(counts, key=lambda count: (scores[number - count], -count))
    return _cut(tree, number, count)


STARTS: dict[str, Callable[[Problem, int], np.ndarray]] = {
    "louvain": louvain,
    "greedy": greedy,
    "spectral": spectral,
    "agglomerative": agglomerative,
}


def mean_weights(problem: Problem) -> np.ndarray:
    """(U, U) the mean weight of the task pairs between two units, the largest scaled to 1; zeros on the diagonal."""
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
    edges = zip(first.tolist(), second.tolist(), weights[first, second].tolist(), strict=True)
    graph.add_weighted_edges_from(edges, weight="weight")
    return graph


def _labels(groups: Iterable[Iterable[int]], number: int) -> np.ndarray:
    """(U,) labels from sets of units."""
    labels = np.zeros(number, dtype=np.int64)
    for label, group in enumerate(groups):
        labels[list(group)] = label
    return renumber(labels)


def _cluster_counts(fewest: int, most: int, *, every: bool) -> list[int]:
    """The numbers of groups to try: every one, or each a quarter larger than the one before."""
    counts = [fewest]
    while counts[-1] < most:
        counts.append(min(most, counts[-1] + 1 if every else max(counts[-1] + 1, round(counts[-1] * 1.25))))
    return counts


def _cut(tree: np.ndarray, number: int, count: int) -> np.ndarray:
    """(U,) the clusters of a dendrogram cut into ``count``."""
    labels = np.arange(2 * number - 1)
    for step in range(number - count):
        left, right = tree[step, :2].astype(int)
        labels[(labels == labels[left]) | (labels == labels[right])] = number + step
    return renumber(labels[:number])
