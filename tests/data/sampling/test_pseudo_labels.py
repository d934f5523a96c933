"""Pseudo-labels against a list of all pairs gone through by hand, and the numbers of images in each round."""

import numpy as np
import pytest

from mvlpt.data.sampling import PseudoLabelOptions, assign_labels, round_sizes
from mvlpt.errors import ConfigError


def greedy(probability, per_class):
    """{image: class}: every pair of an image and a class in the order of probability."""
    images, classes = probability.shape
    pairs = sorted(
        (-probability[i, k], i, k) for i in range(images) for k in range(classes) if not np.isnan(probability[i, k])
    )
    found, count = {}, [0] * classes
    for _, image, label in pairs:
        if image not in found and count[label] < per_class:
            found[image] = label
            count[label] += 1
    return found


@pytest.mark.parametrize("seed", range(30))
def test_it_is_the_greedy_choice_among_all_pairs(seed):
    rng = np.random.default_rng(seed)
    images, classes, per_class = int(rng.integers(1, 40)), int(rng.integers(1, 7)), int(rng.integers(1, 9))
    probability = rng.dirichlet(np.full(classes, 0.3), images)
    if seed % 3 == 0:
        probability = probability.round(1)  # many ties
    if seed % 4 == 0:
        probability[rng.random(images) < 0.2] = np.nan  # images that cannot be read
    index, label = assign_labels(probability, per_class)
    assert dict(zip(index.tolist(), label.tolist(), strict=True)) == greedy(probability, per_class)
    assert index.tolist() == sorted(set(index.tolist()))
    readable = int((~np.isnan(probability[:, 0])).sum())
    assert len(index) == min(readable, per_class * classes)


def test_the_order_of_images_changes_no_label():
    rng = np.random.default_rng(0)
    probability, order = rng.dirichlet(np.ones(4), 50), rng.permutation(50)
    index, label = assign_labels(probability, 5)
    shuffled, same = assign_labels(probability[order], 5)
    assert dict(zip(index.tolist(), label.tolist(), strict=True)) == dict(
        zip(order[shuffled].tolist(), same.tolist(), strict=True)
    )


def test_grip_takes_more_in_each_round_and_all_in_the_last():
    options = PseudoLabelOptions("grip", per_class=3, rounds=10)
    counts = [options.per_class_in(round, 500, 10) for round in range(10)]
    assert counts == [5 * (round + 1) for round in range(10)]
    assert [options.per_class_in(round, 7, 5) for round in (0, 9)] == [1, 1]  # a class never gets none
    assert round_sizes(options, [500, 20], [10, 2], [0, 0])[::9] == [[50, 2], [500, 20]]


def test_the_other_methods_take_the_same_number_in_each_round():
    fixed = PseudoLabelOptions("ifpl", per_class=3, rounds=4)
    assert round_sizes(fixed, [100, 5], [10, 2], [4, 2]) == [[30 + 5 * 4, 5 + 5 * 2]] * 4  # 35 chosen, 6 labelled
    assert PseudoLabelOptions("fpl", 3, 4).num_rounds == 1
    with pytest.raises(ConfigError, match="did you mean 'fpl'"):
        PseudoLabelOptions("fpll")
