"""Matrices over a set of tasks, and their weighted mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clusters import random_similarity, random_task

from mvlpt.errors import GraphError
from mvlpt.graph import SIMILARITIES, combine, parse_weights, similarity_matrices
from mvlpt.graph.similarity.registry import ALIASES
from mvlpt.graph.similarity.weighting import min_max_scale

RNG = np.random.default_rng(11)
TASKS = [random_task(RNG, name, classes, images) for name, classes, images in (("a", 3, 9), ("b", 1, 4), ("c", 4, 1))]
MATRICES = {name: random_similarity(RNG, 4) for name in ("visual.frechet", "label.chamfer", "mine")}


def test_every_similarity_has_a_matrix_even_with_one_class_or_one_image():
    matrices = similarity_matrices(TASKS)
    assert list(matrices) == list(SIMILARITIES)
    for name, matrix in matrices.items():
        assert np.array_equal(matrix, matrix.T)
        assert matrix.diagonal().tolist() == [1, 1, 1]
        assert ((matrix >= 0) & (matrix <= 1)).all()
        assert matrix[0, 2] == SIMILARITIES[name](TASKS[0], TASKS[2])


def test_the_order_of_tasks_changes_nothing_in_any_bit():
    order = [2, 0, 1]
    matrices, turned = similarity_matrices(TASKS), similarity_matrices([TASKS[i] for i in order])
    for name, matrix in matrices.items():
        assert np.array_equal(turned[name], matrix[np.ix_(order, order)])


def test_progress_counts_pairs():
    calls = []
    assert list(similarity_matrices(TASKS, ["visual", "label.names"], lambda *now: calls.append(now))) == [
        "visual.frechet",
        "label.names",
    ]
    assert calls == [(2, 6), (3, 6), (5, 6), (6, 6)]


def test_one_task_alone():
    assert similarity_matrices(TASKS[:1], ["label"])["label.chamfer"].tolist() == [[1]]


@pytest.mark.parametrize(
    ("tasks", "names", "sentence"),
    [
        ([*TASKS, TASKS[0]], None, "'a' twice"),
        ([], None, "at least one"),
        ([TASKS[0], random_task(RNG, "wide", width=7)], None, "'a' and 'wide' have features of width 5 and 7"),
        (TASKS, ["label.chamfr"], "no similarity 'label.chamfr'; did you mean 'label.chamfer'"),
    ],
)
def test_sets_of_tasks_that_cannot_be_compared(tasks, names, sentence):
    with pytest.raises(GraphError, match=sentence):
        similarity_matrices(tasks, names)


def test_weights_are_read_from_text():
    assert parse_weights("visual=0.5, label = 2") == {"visual": 0.5, "label": 2}
    assert parse_weights("label.names") == {"label.names": 1}
    for text, sentence in (
        ("", "At least one"),
        ("visual=0,label=0", "At least one"),
        ("visual=much", "'much' of 'visual' is not a number"),
        ("visual=-1,label=2", "weight of 'visual' is -1"),
        ("visual=nan", "is nan"),
        ("visual=1,visual=2", "repeats visual"),
        ("=1", "lacks a name"),
    ):
        with pytest.raises(GraphError, match=sentence):
            parse_weights(text)


def test_the_mean_by_loops():
    out = combine(MATRICES, {"visual": 1, "mine": 3})
    for i in range(4):
        for j in range(4):
            expected = 0.0
            for name, weight in (("visual.frechet", 0.25), ("mine", 0.75)):
                pairs = [MATRICES[name][p, q] for p in range(4) for q in range(4) if p != q]
                expected += weight * (MATRICES[name][i, j] - min(pairs)) / (max(pairs) - min(pairs))
            assert out[i, j] == pytest.approx(1 if i == j else expected)
    raw = combine(MATRICES, {"visual": 1, "mine": 3}, rescale=False)
    assert raw == pytest.approx(MATRICES["visual.frechet"] / 4 + MATRICES["mine"] * 3 / 4)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), weights=st.lists(st.floats(0.01, 100), min_size=2, max_size=2), scale=st.booleans()
)
def test_a_combination_is_a_similarity_and_scale_and_order_of_weights_do_not_matter(seed, weights, scale):
    matrices = {name: random_similarity(np.random.default_rng(seed), 5) for name in ("x", "y")}
    out = combine(matrices, dict(zip("xy", weights, strict=True)), scale)
    assert np.array_equal(out, out.T)
    assert ((out >= 0) & (out <= 1)).all()
    assert out.diagonal().tolist() == [1] * 5
    assert combine(matrices, {"y": weights[1] * 8, "x": weights[0] * 8}, scale) == pytest.approx(out)


def test_a_constant_matrix_is_not_rescaled():
    assert min_max_scale(np.array([[1, 0.8], [0.8, 1]])).tolist() == [[1, 0.8], [0.8, 1]]
    flat = np.full((3, 3), 0.4) + np.eye(3) * 0.6
    flat[0, 1] = flat[1, 0] = 0.4 + 1e-15  # rounding must not become the greatest difference there is
    assert np.array_equal(min_max_scale(flat), flat)
    assert combine({"x": [[1.0]]}, {"x": 1}).tolist() == [[1]]


def test_the_input_is_not_changed():
    kept = {name: matrix.copy() for name, matrix in MATRICES.items()}
    combine(MATRICES, {"visual": 1, "mine": 1})
    assert all(np.array_equal(MATRICES[name], kept[name]) for name in kept)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ({"mien": 1}, "no similarity 'mien'; did you mean 'mine'"),
        ({"visual": 1, "visual.frechet": 1}, "'visual.frechet' has two weights"),
        ({"mine": -1, "visual": 2}, "weight of 'mine' is -1"),
        ({"mine": 0}, "At least one similarity"),
        ({}, "At least one similarity"),
        ({"small": 1, "mine": 1}, "is 4 x 4 and not 3 x 3|is 3 x 3 and not 4 x 4"),
        ({"broken": 1}, "similarity 'broken' is nan"),
    ],
)
def test_weights_and_matrices_that_cannot_be_combined(weights, sentence):
    broken = np.eye(4)
    broken[0, 1] = np.nan
    with pytest.raises(GraphError, match=sentence):
        combine({**MATRICES, "small": np.eye(3), "broken": broken}, weights)


def test_the_aliases_are_similarities():
    assert set(ALIASES.values()) <= set(SIMILARITIES)
    assert all(full.startswith(alias + ".") for alias, full in ALIASES.items())
