"""How alike two tasks' images are: similarities in [0, 1] of frozen image features, and where they are from.

Every function is symmetric, gives 1 for two equal tasks, and does not depend on the order of images or classes.

Shapes: K classes of the first task, L of the second, E width of the features.
"""

from __future__ import annotations

import numpy as np

from mvlpt.errors import GraphError
from mvlpt.graph.similarity.vectors import best_match, cosine, from_cosine, same_width, within


def mean_cosine(mean_a: np.ndarray, mean_b: np.ndarray) -> float:
    """(1 + cos(a, b)) / 2 of the mean features (E,).

    The mean feature is the kernel mean embedding of a distribution (Muandet et al. 2017) under a linear kernel.
    """
    return from_cosine(cosine(*same_width(mean_a, mean_b)))


def frechet(mean_a: np.ndarray, root_a: np.ndarray, mean_b: np.ndarray, root_b: np.ndarray) -> float:
    """1 - d^2 / (2 (M_a + M_b)), with d the Fréchet distance and M = |m|^2 + tr C the mean squared length of a feature.

    d^2 <= 2 (M_a + M_b) by Cauchy-Schwarz, so the value lies in [0, 1] and does not change when all features are
    scaled. For unit features M = 1, and the value is (1 + c) / 2 with c the mean cosine of images that are paired as
    well as two Gaussians can be.

    Args:
        mean_a: (E,) mean m of the first task.
        root_a: (E, E) a matrix R with R R^T = C, its covariance (:attr:`TaskEmbedding.root`).
        mean_b: (E,) of the second task.
        root_b: (E, E) of the second task.
    """
    mean_a, mean_b = same_width(mean_a, mean_b)
    root_a, root_b = same_width(root_a, root_b)
    size = mean_a @ mean_a + mean_b @ mean_b + (root_a**2).sum() + (root_b**2).sum()
    if size == 0:
        return 1.0
    return within(1 - frechet_distance(mean_a, root_a, mean_b, root_b) / (2 * size))


def frechet_distance(mean_a: np.ndarray, root_a: np.ndarray, mean_b: np.ndarray, root_b: np.ndarray) -> float:
    """d^2 = |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) between Gaussians (Heusel et al. 2017, equation 6).

    With C = R R^T, tr (C_a C_b)^(1/2) is the sum of the singular values of R_a^T R_b. Arguments as :func:`frechet`.
    """
    shared = np.linalg.svd(root_a.T @ root_b, compute_uv=False).sum()
    gap = mean_a - mean_b
    return max(0.0, float(gap @ gap + (root_a**2).sum() + (root_b**2).sum() - 2 * shared))


def prototype_matching(prototypes_a: np.ndarray, prototypes_b: np.ndarray) -> float:
    """Mean over both tasks of the mean, over classes, of (1 + c) / 2 with the most similar class of the other task.

    The Chamfer distance (Barrow et al. 1977) as a similarity, between sets of prototypes (Snell et al. 2017). A task
    with one class is compared with its nearest class of the other task and with all of them, half each.

    Args:
        prototypes_a: (K, E) unit prototypes; classes without image (rows of zeros) are left out.
        prototypes_b: (L, E) of the second task.
    """
    prototypes_a, prototypes_b = same_width(prototypes_a, prototypes_b)
    return best_match(_with_images(prototypes_a), _with_images(prototypes_b))


def covariance_alignment(covariance_a: np.ndarray, covariance_b: np.ndarray) -> float:
    """tr(C_a C_b) / (|C_a| |C_b|), Frobenius norms: whether both tasks vary along the same directions.

    Linear CKA (Kornblith et al. 2019, section 3) with the E feature directions in place of examples. CKA compares two
    descriptions of the same rows. Images of two tasks are not the same rows; the directions of the one frozen model
    are. Between positive semidefinite matrices it lies in [0, 1]. A task with one image has a covariance of zeros: 0
    with any other task, 1 with another such.

    Args:
        covariance_a: (E, E) covariance of the first task.
        covariance_b: (E, E) of the second.
    """
    covariance_a, covariance_b = same_width(covariance_a, covariance_b)
    return within(cosine(covariance_a.ravel(), covariance_b.ravel()))


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

    c are cosines of image prototypes, t of text features, s the label's share. The optimal-transport data set distance
    (Alvarez-Melis & Fusi 2020, section 3, p = 2) between class prototypes that weigh as many images as they stand for;
    the label's cost is the distance of the names' text features and not of Gaussians, which few shots do not
    determine. For unit vectors and s = 1/2 it is 1 - OTDD^2 / 8.

    Args:
        prototypes_a: (K, E) unit prototypes.
        text_a: (K, E) unit text features.
        counts_a: (K,) images of each class; classes without image are left out.
        prototypes_b: (L, E), and so on, of the second task.
        text_b: (L, E).
        counts_b: (L,).
        label_share: s, from 0 (images only) to 1 (names only).
    """
    if not 0 <= label_share <= 1:
        raise GraphError(f"The label's share of the transport cost is {label_share}; it lies between 0 and 1")
    from ot import emd2

    prototypes_a, prototypes_b = same_width(prototypes_a, prototypes_b)
    text_a, text_b = same_width(text_a, text_b)
    some_a, some_b = np.asarray(counts_a) > 0, np.asarray(counts_b) > 0
    images = prototypes_a[some_a] @ prototypes_b[some_b].T
    labels = text_a[some_a] @ text_b[some_b].T
    cost = ((1 - label_share) * (1 - images) + label_share * (1 - labels)) / 2
    weights = [counts[some] / counts[some].sum() for counts, some in ((counts_a, some_a), (counts_b, some_b))]
    return within(1 - emd2(*weights, np.ascontiguousarray(cost.clip(0, 1)), numItermax=10_000_000))


def _with_images(prototypes: np.ndarray) -> np.ndarray:
    kept = prototypes[np.any(prototypes != 0, axis=1)]
    if len(kept) == 0:
        raise GraphError("A task has no class with an image, so its prototypes cannot be matched")
    return kept
