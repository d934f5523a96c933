"""Each similarity against an independent way to compute it, and what all of them promise."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.optimize import linprog
from support.clusters import random_task, unit_rows

from mvlpt.errors import GraphError
from mvlpt.graph import SIMILARITIES, TaskEmbedding
from mvlpt.graph.embeddings.embedding import square_root
from mvlpt.graph.similarity import label as label_similarity
from mvlpt.graph.similarity import visual as visual_similarity

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(1, 5)


def random_gaussian(rng, width, images):
    points = rng.normal(size=(images, width)) * rng.uniform(0.2, 2)
    return points.mean(axis=0), np.cov(points.T, bias=True) if images > 1 else np.zeros((width, width))


def changed(task, **changes):
    keys = ("name", "class_names", "metric", "counts", "prototypes", "mean", "covariance", "text", "fingerprint")
    return TaskEmbedding(**{**{key: getattr(task, key) for key in keys}, **changes})


@pytest.mark.parametrize("name", SIMILARITIES)
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, classes=st.tuples(SIZES, SIZES), images=st.tuples(SIZES, SIZES))
def test_every_similarity_is_symmetric_in_its_range_and_1_for_equal_tasks(name, seed, classes, images):
    rng = np.random.default_rng(seed)
    a, b = (random_task(rng, "ab"[i], classes[i], images[i]) for i in range(2))
    value = SIMILARITIES[name](a, b)
    assert isinstance(value, float)
    assert 0 <= value <= 1
    assert value == pytest.approx(SIMILARITIES[name](b, a), abs=1e-7)
    assert SIMILARITIES[name](a, a) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", SIMILARITIES)
@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_neither_the_order_of_classes_nor_a_rotation_of_all_features_matters(name, seed):
    rng = np.random.default_rng(seed)
    a, b = random_task(rng, "a", 4), random_task(rng, "b", 3)
    order = rng.permutation(4)
    shuffled = changed(
        a,
        class_names=tuple(a.class_names[k] for k in order),
        counts=a.counts[order],
        prototypes=a.prototypes[order],
        text=a.text[order],
    )
    value = SIMILARITIES[name](a, b)
    assert SIMILARITIES[name](shuffled, b) == pytest.approx(value, abs=1e-6)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    turned = [
        changed(
            task,
            prototypes=task.prototypes @ turn,
            mean=task.mean @ turn,
            covariance=turn.T @ task.covariance @ turn,
            text=task.text @ turn,
        )
        for task in (a, b)
    ]
    assert SIMILARITIES[name](*turned) == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize("name", [name for name in SIMILARITIES if name != "label.names"])
def test_features_of_different_widths_cannot_be_compared(name):
    rng = np.random.default_rng(0)
    with pytest.raises(GraphError, match="width 5 and 6 cannot be compared"):
        SIMILARITIES[name](random_task(rng, "a", width=5), random_task(rng, "b", width=6))


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(GraphError, match="not finite"):
        label_similarity.chamfer([[1.0, np.nan]], [[1.0, 0.0]])
    with pytest.raises(GraphError, match="at least one"):
        label_similarity.one_to_one(np.zeros((0, 2)), [[1.0, 0.0]])


def test_cosines_of_means_by_hand():
    assert visual_similarity.mean_cosine([3.0, 0.0], [0.0, 0.5]) == pytest.approx(0.5)
    assert visual_similarity.mean_cosine([1.0, 0.0], [1.0, 1.0]) == pytest.approx((1 + np.sqrt(0.5)) / 2)
    assert visual_similarity.mean_cosine([1.0, 0.0], [-2.0, 0.0]) == 0
    assert visual_similarity.mean_cosine([0.0, 0.0], [1.0, 0.0]) == 0.5
    text = [[1.0, 0.0], [0.0, 1.0]]
    assert label_similarity.mean_cosine(text, [[1.0, 0.0]]) == pytest.approx((1 + np.sqrt(0.5)) / 2)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_frechet_distance_is_that_of_the_matrix_square_root(seed):
    rng = np.random.default_rng(seed)
    (m1, c1), (m2, c2) = random_gaussian(rng, 4, 9), random_gaussian(rng, 4, 8)
    distance = visual_similarity.frechet_distance(m1, square_root(c1), m2, square_root(c2))
    expected = np.sum((m1 - m2) ** 2) + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real)
    assert distance == pytest.approx(expected, abs=1e-6)


def test_frechet_distance_of_singular_covariances_that_commute():
    a, b = np.array([4.0, 0.0, 0.0, 1.0]), np.array([1.0, 9.0, 0.0, 0.0])
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(4, 4)))[0]
    r1, r2 = (square_root(turn @ np.diag(values) @ turn.T) for values in (a, b))
    distance = visual_similarity.frechet_distance(np.zeros(4), r1, np.ones(4), r2)
    assert distance == pytest.approx(4 + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2), abs=1e-6)


def test_frechet_similarity_does_not_depend_on_the_scale_of_features():
    rng = np.random.default_rng(1)
    (m1, c1), (m2, c2) = random_gaussian(rng, 4, 9), random_gaussian(rng, 4, 7)
    r1, r2 = square_root(c1), square_root(c2)
    value = visual_similarity.frechet(m1, r1, m2, r2)
    assert visual_similarity.frechet(50 * m1, 50 * r1, 50 * m2, 50 * r2) == pytest.approx(value)
    size = np.sum(m1**2) + np.sum(m2**2) + np.trace(c1 + c2)
    assert value == pytest.approx(1 - visual_similarity.frechet_distance(m1, r1, m2, r2) / (2 * size))


def test_frechet_of_points_is_their_cosine():
    none = np.zeros((2, 2))
    a, b = np.array([0.6, 0.8]), np.array([1.0, 0.0])
    assert visual_similarity.frechet(a, none, b, none) == pytest.approx((1 + 0.6) / 2)
    assert visual_similarity.frechet(a, none, -a, none) == pytest.approx(0)


def test_covariance_alignment_is_linear_cka_over_feature_directions():
    rng = np.random.default_rng(2)
    x, y = (rng.normal(size=(n, 4)) for n in (9, 6))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    # |Y^T X|^2 / (|X^T X| |Y^T Y|) of matrices whose rows are the feature directions
    rows_x, rows_y = x.T, y.T
    expected = np.linalg.norm(rows_y.T @ rows_x) ** 2
    expected /= np.linalg.norm(rows_x.T @ rows_x) * np.linalg.norm(rows_y.T @ rows_y)
    assert visual_similarity.covariance_alignment(np.cov(x.T), np.cov(y.T)) == pytest.approx(expected)


def chamfer_by_loops(a, b):
    def nearest(rows, others):
        return sum(max((1 + sum(x * y for x, y in zip(r, o, strict=True))) / 2 for o in others) for r in rows)

    return (nearest(a, b) / len(a) + nearest(b, a) / len(b)) / 2


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, sizes=st.tuples(SIZES, SIZES))
def test_best_matches_by_loops(seed, sizes):
    rng = np.random.default_rng(seed)
    a, b = (unit_rows(rng, size, 3) for size in sizes)
    expected = chamfer_by_loops(a, b)
    assert label_similarity.chamfer(a, b) == pytest.approx(expected)
    with_empty_class = np.concatenate([a, np.zeros((1, 3))])
    assert visual_similarity.prototype_matching(with_empty_class, b) == pytest.approx(expected)


def test_prototypes_without_any_image_are_refused():
    with pytest.raises(GraphError, match="no class with an image"):
        visual_similarity.prototype_matching(np.zeros((2, 3)), np.eye(3))


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, sizes=st.tuples(SIZES, SIZES))
def test_one_to_one_matching_by_all_permutations(seed, sizes):
    rng = np.random.default_rng(seed)
    few, many = sorted((unit_rows(rng, size, 3) for size in sizes), key=len)
    best = max(
        sum((1 + few[i] @ many[j]) / 2 for i, j in enumerate(places))
        for places in itertools.permutations(range(len(many)), len(few))
    )
    assert label_similarity.one_to_one(many, few) == pytest.approx(2 * best / sum(sizes))


def test_names_are_compared_without_case_and_underscores():
    assert label_similarity.name_overlap(["Polar_Bear", "cat", "dog"], ["polar bear", "CAT ", "eel"]) == 2 / 4
    assert label_similarity.name_overlap(["cat", "Cat"], ["cat"]) == 1
    assert label_similarity.name_overlap(["cat"], ["dog"]) == 0
    assert label_similarity.name_overlap(["bl\u00fcte"], ["Blu\u0308te"]) == 1


def transport_by_linprog(cost, a, b):
    rows, columns = cost.shape
    equal = np.zeros((rows + columns, rows * columns))
    for i, j in itertools.product(range(rows), range(columns)):
        equal[i, i * columns + j] = equal[rows + j, i * columns + j] = 1
    return linprog(cost.ravel(), A_eq=equal, b_eq=np.concatenate([a, b]), bounds=(0, None)).fun


@pytest.mark.parametrize("label_share", [0.5, 0.0, 1.0])
@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, sizes=st.tuples(SIZES, SIZES))
def test_transport_is_the_linear_programme(label_share, seed, sizes):
    rng = np.random.default_rng(seed)
    (p1, t1), (p2, t2) = ((unit_rows(rng, size, 3), unit_rows(rng, size, 3)) for size in sizes)
    n1, n2 = (rng.integers(1, 9, size=size) for size in sizes)
    # squared distances of unit vectors are at most 4
    images = ((p1[:, None] - p2[None]) ** 2).sum(axis=-1) / 4
    labels = ((t1[:, None] - t2[None]) ** 2).sum(axis=-1) / 4
    cost = (1 - label_share) * images + label_share * labels
    expected = 1 - transport_by_linprog(cost, n1 / n1.sum(), n2 / n2.sum())
    value = visual_similarity.transport(p1, t1, n1, p2, t2, n2, label_share=label_share)
    assert value == pytest.approx(expected, abs=1e-8)
    empty = [np.concatenate([p1, np.zeros((1, 3))]), np.concatenate([t1, t1[:1]]), np.append(n1, 0)]
    assert visual_similarity.transport(*empty, p2, t2, n2, label_share=label_share) == pytest.approx(value)


def test_a_share_outside_0_and_1_is_refused():
    with pytest.raises(GraphError, match=r"share of the transport cost is 1\.5"):
        visual_similarity.transport(*[np.eye(2), np.eye(2), np.ones(2)] * 2, label_share=1.5)
