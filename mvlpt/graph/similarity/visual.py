"""How similar two tasks' images are: similarities in [0, 1] of frozen image features, with their sources.

Every function is symmetric, returns 1 for equal tasks, and does not depend on the order of images or classes.

Shapes: K classes of the first task, L of the second, E width of the features.
"""

from __future__ import annotations

import numpy as np

from mvlpt.errors import GraphError
from mvlpt.graph.similarity.vectors import as_pair, best_match, clip_unit, cosine, cosine_to_unit


def mean_cosine(mean_a: np.ndarray, mean_b: np.ndarray) -> float:
    """(1 + cos(a, b)) / 2 of the mean features (E,).

    The mean feature is the kernel mean embedding of a distribution (Muandet et al. 2017) under a linear kernel.
    """
    return cosine_to_unit(cosine(*as_pair(mean_a, mean_b)))


def frechet(mean_a: np.ndarray, root_a: np.ndarray, mean_b: np.ndarray, root_b: np.ndarray) -> float:
    """1 - d^2 / (2 (M_a + M_b)), with d the Fréchet distance and M = |m|^2 + tr C the mean squared length of a feature.

    d^2 <= 2 (M_a + M_b) by Cauchy-Schwarz, so the value lies in [0, 1] and is invariant to the scale of the features.
    For unit features M = 1, and the value is (1 + c) / 2, where c is the mean cosine of images under the optimal
    pairing of two Gaussians.

    Args:
        mean_a: (E,) mean m of the first task.
        root_a: (E, E) a matrix R with R R^T = C, its covariance (:attr:`TaskEmbedding.root`).
        mean_b: (E,) of the second task.
        root_b: (E, E) of the second task.
    """
    mean_a, mean_b = as_pair(mean_a, mean_b)
    root_a, root_b = as_pair(root_a, root_b)
    size = mean_a @ mean_a + mean_b @ mean_b + (root_a**2).sum() + (root_b**2).sum()
    if size == 0:
        return 1.0
    return clip_unit(1 - frechet_distance(mean_a, root_a, mean_b, root_b) / (2 * size))


def frechet_distance(mean_a: np.ndarray, root_a: np.ndarray, mean_b: np.ndarray, root_b: np.ndarray) -> float:
    """d^2 = |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) between Gaussians (Heusel et al. 2017, equation 6).

    With C = R R^T, tr (C_a C_b)^(1/2) is the sum of the singular values of R_a^T R_b. Arguments as :func:`frechet`.
    """
    shared = np.linalg.svd(root_a.T @ root_b, compute_uv=False).sum()
    gap = mean_a - mean_b
    return max(0.0, float(gap @ gap + (root_a**2).sum() + (root_b**2).sum() - 2 * shared))


def prototype_matching(prototypes_a: np.ndarray, prototypes_b: np.ndarray) -> float:
    """Mean over both tasks of the mean, over classes, of (1 + c) / 2 with the most similar class of the other task.

    The Chamfer distance (Barrow et al. 1977) as a similarity, between sets of prototypes (Snell et al. 2017).

    Args:
        prototypes_a: (K, E) unit prototypes; classes without images (rows of zeros) are ignored.
        prototypes_b: (L, E) of the second task.
    """
    prototypes_a, prototypes_b = as_pair(prototypes_a, prototypes_b)
    return best_match(_with_images(prototypes_a), _with_images(prototypes_b))


def covariance_alignment(covariance_a: np.ndarray, covariance_b: np.ndarray) -> float:
    """tr(C_a C_b) / (|C_a| |C_b|), Frobenius norms: whether both tasks vary along the same directions.

    Linear CKA (Kornblith et al. 2019, section 3) over the E feature directions instead of examples. CKA compares two
    representations of the same rows. Two tasks have different images, but share the feature directions of the frozen
    model. It lies in [0, 1] for positive semidefinite matrices. A task with one image has a covariance of zeros: its
    similarity is 1 to another such task and 0 to any other.

    Args:
        covariance_a: (E, E) covariance of the first task.
        covariance_b: (E, E) of the second.
    """
    covariance_a, covariance_b = as_pair(covariance_a, covariance_b)
    return clip_unit(cosine(covariance_a.ravel(), covariance_b.ravel()))


def transport(
    prototypes_a: np.ndarray,
    text_a: np.ndarray,
    counts_a: np.ndarray,
    prototypes_b: np.ndarray,
    text_b: np.ndarray,
    counts_b: np.ndarray,
    *,
    label_share: float = 0.5,
) -> float:
    """1 - min_P sum_kl P_kl [(1 - s) (1 - c_kl) / 2 + s (1 - t_kl) / 2], P a transport plan between the tasks' classes.

    c are cosines of image prototypes, t of text features, s is the weight of the label. This is the optimal-transport
    data set distance (Alvarez-Melis & Fusi 2020, section 3, p = 2) between class prototypes weighted by their numbers
    of images. The label cost is the distance of the names' text features, not of Gaussians fitted to the classes, which
    few shots do not determine. For unit vectors and s = 1/2 it is 1 - OTDD^2 / 8.

    Args:
        prototypes_a: (K, E) unit prototypes.
        text_a: (K, E) unit text features.
        counts_a: (K,) images of each class; classes without images are ignored.
        prototypes_b: (L, E), and so on, of the second task.
        text_b: (L, E).
        counts_b: (L,).
        label_share: s, from 0 (images only) to 1 (class names only).
    """
    if not 0 <= label_share <= 1:
        raise GraphError(f"The label's share of the transport cost is {label_share}; it must be between 0 and 1")
    from ot import emd2

    prototypes_a, prototypes_b = as_pair(prototypes_a, prototypes_b)
    text_a, text_b = as_pair(text_a, text_b)
    counts_a, counts_b = np.asarray(counts_a), np.asarray(counts_b)
    some_a, some_b = counts_a > 0, counts_b > 0
    images = prototypes_a[some_a] @ prototypes_b[some_b].T
    labels = text_a[some_a] @ text_b[some_b].T
    cost = ((1 - label_share) * (1 - images) + label_share * (1 - labels)) / 2
    weights = (counts[some] / counts.sum() for counts, some in ((counts_a, some_a), (counts_b, some_b)))
    return clip_unit(1 - emd2(*weights, np.ascontiguousarray(cost.clip(0, 1)), numItermax=10_000_000))


def _with_images(prototypes: np.ndarray) -> np.ndarray:
    """The prototypes of classes with images."""
    kept = prototypes[np.any(prototypes != 0, axis=1)]
    if len(kept) == 0:
        raise GraphError("A task has no class with an image, so its prototypes cannot be matched")
    return kept
