"""Weights fitted to measured transfer."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from support.clusters import random_similarity

from mvlpt.errors import GraphError
from mvlpt.graph import combine, fit_weights
from mvlpt.graph.similarity.weight_fitting import spearman
from mvlpt.graph.similarity.weighting import min_max_scale

OFF = ~np.eye(10, dtype=bool)


def example(seed=0, noise=0.0, names="xyz"):
    rng = np.random.default_rng(seed)
    matrices = {name: random_similarity(rng, 10) for name in names}
    gains = 0.7 * min_max_scale(matrices["x"]) + 0.3 * min_max_scale(matrices["y"]) + noise * rng.normal(size=(10, 10))
    return matrices, gains * 20 - 5


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(3, 30), ties=st.booleans())
def test_spearman_is_scipys(seed, size, ties):
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(0, 4, size=size) if ties else rng.normal(size=size) for _ in range(2))
    if np.ptp(a) and np.ptp(b):
        assert spearman(a * 1e-9, b * 1e9) == pytest.approx(spearmanr(a, b).statistic)
    assert spearman(np.ones(size), b) == 0


def test_the_weights_behind_noiseless_gains_are_found():
    matrices, gains = example()
    fit = fit_weights(matrices, gains)
    assert sum(fit.weights.values()) == pytest.approx(1)
    assert min(fit.weights.values()) >= 0
    assert [fit.weights[name] for name in "xyz"] == pytest.approx([0.7, 0.3, 0], abs=0.06)
    assert fit.correlation > 0.99
    assert fit.correlation == pytest.approx(spearmanr(combine(matrices, fit.weights)[OFF], gains[OFF]).statistic)
    assert fit.equal == pytest.approx(spearmanr(combine(matrices, dict.fromkeys("xyz", 1))[OFF], gains[OFF]).statistic)
    assert fit.held_out > 0.95
    assert fit.pairs == 90


@pytest.mark.parametrize("seed", range(5))
def test_no_grid_of_weights_does_much_better(seed):
    matrices, gains = example(seed, noise=0.3)
    fit = fit_weights(matrices, gains)
    grid = [
        spearmanr(combine(matrices, dict(zip("xyz", weights, strict=True)))[OFF], gains[OFF]).statistic
        for weights in itertools.product(range(11), repeat=3)
        if sum(weights) == 10
    ]
    assert fit.correlation >= max(grid) - 0.01
    assert fit.correlation >= fit.equal


def test_each_task_is_held_out_in_turn():
    matrices, gains = example(3, noise=0.2)
    tasks = [f"task{i}" for i in range(10)]
    fit = fit_weights(matrices, gains, tasks)
    assert list(fit.by_task) == tasks
    assert fit.held_out == pytest.approx(np.mean(list(fit.by_task.values())))
    # by hand for one: gains of the pairs with task 4 do not move the weights that are used for them
    near = np.zeros((10, 10), dtype=bool)
    near[4], near[:, 4] = True, True
    blind = fit_weights(matrices, np.where(near, np.nan, gains)).weights
    expected = spearmanr(combine(matrices, blind)[near & OFF], gains[near & OFF]).statistic
    assert fit.by_task["task4"] == pytest.approx(expected)


def test_random_gains_are_not_predicted():
    held_out = []
    for seed in range(4):
        matrices, _ = example(seed, names="xyzu")
        held_out.append(fit_weights(matrices, np.random.default_rng(seed).normal(size=(10, 10))).held_out)
    assert abs(np.mean(held_out)) < 0.25


def test_missing_pairs_are_ignored_and_order_does_not_matter():
    matrices, gains = example(1, noise=0.1)
    gains[np.random.default_rng(0).uniform(size=(10, 10)) < 0.5] = np.nan
    fit = fit_weights(matrices, gains)
    assert fit.pairs == (~np.isnan(gains[OFF])).sum() < 60
    assert fit == fit_weights(dict(reversed(matrices.items())), gains)
    order = np.random.default_rng(1).permutation(10)
    turned = {name: matrix[np.ix_(order, order)] for name, matrix in matrices.items()}
    other = fit_weights(turned, gains[np.ix_(order, order)])
    assert other.correlation == pytest.approx(fit.correlation)
    assert other.weights == pytest.approx(fit.weights)


def test_few_pairs_leave_nothing_to_hold_out():
    gains = np.full((10, 10), np.nan)
    gains[0, 1], gains[2, 3], gains[4, 5] = 1, 2, 3
    fit = fit_weights(example()[0], gains)
    assert fit.held_out is None
    assert fit.by_task == {}


@pytest.mark.parametrize(
    ("matrices", "gains", "sentence"),
    [
        ({}, np.eye(10), "no similarity to weigh"),
        (None, np.full((10, 10), np.nan), "0 pairs of tasks were measured"),
        (None, np.ones((10, 10)), "All 90 measured gains are 1"),
        (None, np.eye(9), "9 x 9 and not 10 x 10"),
        (None, np.full((10, 10), np.inf), "must be finite"),
    ],
)
def test_invalid_measurements_are_refused(matrices, gains, sentence):
    with pytest.raises(GraphError, match=sentence):
        fit_weights(example()[0] if matrices is None else matrices, gains)
