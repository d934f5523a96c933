"""What gains say of other images: the marks of pair runs, and the variance that is stable over seeds and images."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks import sharing_images
from benchmarks.sharing_images import Marks, image_reliability, read_marks, reliability, stable_variance
from benchmarks.sharing_pairs import marked_gains
from benchmarks.sharing_unused import UnusedImages


def drawn(partners=40, seeds=8, images=60, partner=1.0, image=0.0, seed=0.0, noise=0.0, rng=None):
    """Marks as a sum of effects of these deviations: of partners, and of partners with an image, a seed, both."""
    rng = rng or np.random.default_rng(0)
    values = partner * rng.normal(size=(partners, 1, 1)) + image * rng.normal(size=(partners, 1, images))
    values = values + seed * rng.normal(size=(partners, seeds, 1)) + noise * rng.normal(size=(partners, seeds, images))
    return Marks(values, np.repeat(np.arange(images // 5), 5))


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ({}, 1.0),
        ({"image": 60**0.5}, 1 / 2),  # averaged over 60 images, it weighs as much as the partners
        ({"seed": 8**0.5}, 1 / 2),
        ({"noise": 480**0.5, "image": 60**0.5}, 1 / 3),
        ({"partner": 0.0, "image": 5.0}, 0.0),
    ],
)
def test_reliability_is_the_share_of_the_partners_in_the_variance(effects, expected):
    rng = np.random.default_rng(1)
    marks = [drawn(**effects, rng=rng) for _ in range(12)]
    found, low, high = reliability(*stable_variance(marks, splits=20))
    assert found == pytest.approx(expected, abs=0.12)
    assert low <= found <= high


def test_what_an_image_adds_to_all_partners_is_not_theirs():
    marks = drawn(image=1.0)
    shifted = Marks(marks.correct + 50 * np.random.default_rng(2).normal(size=(1, 8, 60)), marks.classes)
    assert shifted.gains() == pytest.approx(marks.gains())


def test_halves_share_every_class():
    marks = Marks(np.zeros((1, 1, 9)), np.array([0, 0, 0, 0, 1, 1, 2, 2, 2]))
    odd = set()
    for number in range(20):
        first, second = marks.halves(np.random.default_rng(number))
        assert (first != second).all()
        counts = np.bincount(marks.classes[first], minlength=3)
        assert counts[:2].tolist() == [2, 1]
        odd.add(int(counts[2]))
    assert odd == {1, 2}


def test_marks_of_a_table(tmp_path):
    file = tmp_path / "pair_images.csv"
    file.write_text(
        "trainer,shots,seed,source,target,validation,training\n"
        "CoOp,1,1,b,a,10 1,-1 0\nCoOp,1,1,c,a,00 1,-1 1\nCoOp,1,2,b,a,11 1,1- 0\nCoOp,1,2,c,a,01 0,0- 0\n"
        "CoOp,1,3,b,a,11 1,1- 0\nVPT,1,1,b,a,11 1,1- 0\n",
        encoding="utf-8",
    )
    marks = read_marks(file, "CoOp", 1)["a"]
    assert marks.correct.shape == (2, 2, 6)  # the third seed lacks a partner
    assert marks.images == 5
    assert marks.classes.tolist() == [0, 0, 1, 0, 0, 1]
    assert marks.correct[0, 0].tolist() == pytest.approx([100, 0, 100, np.nan, 100, 0], nan_ok=True)
    # gains: 3 of 5 images right with b, 3 of 5 with c, then 4 and 1 of 5
    assert marks.gains()[0].tolist() == pytest.approx([0.0, 30.0])
    assert read_marks(file, "CoOp", 1, ("validation",))["a"].correct.shape == (2, 2, 3)
    assert read_marks(tmp_path / "none.csv", "CoOp", 1) == {}
    assert image_reliability(read_marks(file, "VPT", 1)) is None  # one seed


def test_gains_stand_at_source_and_target():
    marks = {"a": drawn(partners=2), "b": drawn(partners=2, seed=1.0), "c": drawn(partners=2)}
    gains = marked_gains(marks, ["a", "b", "c"])
    assert np.isnan(np.diagonal(gains)).all()
    assert gains[2, 1] == pytest.approx(marks["b"].gains()[1])


def test_words_mark_what_was_right_and_what_was_trained_on():
    data = [SimpleNamespace(impath=f"/data/images.zip@{name}.png", label=label) for name, label in
            (("cat/1", 0), ("dog/1", 1), ("cat/11", 0), ("dog/2", 1))]  # fmt: skip
    assert sharing_images._words(data, [0, 0, 1, 1], {"images.zip@cat/1.png"}) == "-0 01"


def test_images_that_a_seed_trained_on_are_not_unused(tmp_path, monkeypatch):
    data = [SimpleNamespace(impath=f"/data/{name}", label=label) for label, name in enumerate(("a.png", "b.png"))]
    monkeypatch.setattr("benchmarks.sharing_unused.splits_of", lambda task: {"train": data, "test": []})
    monkeypatch.setattr("benchmarks.sharing_unused.read_image", str)
    monkeypatch.setattr(UnusedImages, "prepared", {})
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "pets-shots1-seed1.json").write_text('{"train": [["a.png", 0]]}', encoding="utf-8")
    unused = UnusedImages()
    unused.found_in(tmp_path, "pets")
    for frozen, expected in ((False, ["/DATA/B.PNG"]), (True, [[11.0]])):
        classifier = SimpleNamespace(
            task=SimpleNamespace(name="pets"), model=SimpleNamespace(trains_image=not frozen), preprocess=str.upper,
            image_features=lambda images: torch.tensor([[float(len(image))] for image in images]),
        )  # fmt: skip
        inputs, labels = unused(classifier)
        assert (inputs if isinstance(inputs, list) else inputs.tolist(), labels.tolist()) == (expected, [1])
