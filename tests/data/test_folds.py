"""Folds over the training images of a task."""

from collections import Counter

import pytest

from mvlpt.data import Datum
from mvlpt.data.sampling import fold_split, fold_unit, make_folds
from mvlpt.errors import ConfigError, DataError


@pytest.mark.parametrize(("shots", "folds"), [(2, 2), (3, 2), (4, 2), (4, 4), (5, 3), (2, 5)])
def test_image_folds_leave_every_class_an_image(shots, folds):
    labels = [label for label in range(6) for _ in range(shots)]
    assigned = make_folds(labels, folds, unit="images")
    sizes = Counter(assigned)
    assert max(sizes.values()) - min(sizes.values()) <= 1
    for fold in range(folds):
        left = {label for label, number in zip(labels, assigned, strict=True) if number != fold}
        assert left == set(labels)


def test_class_folds_keep_classes_whole():
    labels = [label for label in range(7) for _ in range(3)]
    assigned = make_folds(labels, 2, unit="classes", task="pets", seed=1)
    by_class = {label: {n for one, n in zip(labels, assigned, strict=True) if one == label} for label in range(7)}
    assert all(len(numbers) == 1 for numbers in by_class.values())
    assert sorted(Counter(next(iter(numbers)) for numbers in by_class.values()).values()) == [3, 4]
    assert assigned == make_folds(labels, 2, unit="classes", task="pets", seed=1)
    assert assigned != make_folds(labels, 2, unit="classes", task="pets", seed=2)


def test_the_unit_follows_the_smallest_class():
    assert fold_unit([0, 0, 1, 1]) == "images"
    assert fold_unit([0, 0, 1]) == "classes"
    assert fold_unit([]) == "classes"


def test_by_classes_all_images_are_tested_and_by_images_the_fold():
    one = [Datum(f"{label}.png", label, 0, str(label)) for label in range(4)]
    tried = [fold_split(one, fold, 2) for fold in (0, 1)]
    assert all(tested == one and len(kept) == 2 for kept, tested in tried)
    assert sorted(item.label for kept, _ in tried for item in kept) == [0, 1, 2, 3]
    two = one + [Datum(f"{label}-b.png", label, 0, str(label)) for label in range(4)]
    tried = [fold_split(two, fold, 2) for fold in (0, 1)]
    assert all(len(kept) == len(tested) == 4 and not set(kept) & set(tested) for kept, tested in tried)


@pytest.mark.parametrize(
    ("labels", "options", "error", "message"),
    [
        ([0, 1], {"unit": "images"}, DataError, "one image of class 0"),
        ([], {"unit": "images"}, DataError, "no training image"),
        ([0, 0, 1, 1], {"folds": 5}, DataError, "has 4 training images, which cannot be split into 5 folds; use fewer"),
        ([0], {}, DataError, "has 1 class, which cannot be split into 2 folds"),
        ([0, 1], {"folds": 1}, ConfigError, "at least 2"),
        ([0, 1], {"unit": "clases"}, ConfigError, "classes"),
        ([(0, 1), (1,)], {}, DataError, "several labels"),
    ],
)
def test_bad_input_is_one_sentence(labels, options, error, message):
    with pytest.raises(error, match=message):
        make_folds(labels, task="pets", **options)


def test_an_unknown_fold_is_refused():
    with pytest.raises(ConfigError, match=r"DATASET\.FOLD is 2; give a number from 0 to 1"):
        fold_split([Datum("a.png", 0, 0, "a"), Datum("b.png", 1, 0, "b")], 2, 2)
