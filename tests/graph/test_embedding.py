"""The statistics of a task, and their file."""

import json
import zipfile

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from mvlpt.errors import GraphError
from mvlpt.graph import TaskEmbedding
from mvlpt.graph.embeddings.embedding import square_root

RNG = np.random.default_rng(5)
FEATURES, TEXT = RNG.normal(size=(7, 5)), RNG.normal(size=(3, 5))
ROWS = np.arange(7)[:, None]
LABELS = [0, (1,), (0, 1), 1, 1, 0, ()]


def embed(**changes):
    options = {
        "name": "pets",
        "class_names": ["cat", "dog", "eel"],
        "metric": "accuracy",
        "features": FEATURES,
        "labels": LABELS,
        "text": TEXT,
        "fingerprint": "f00",
    }
    return TaskEmbedding.of(**{**options, **changes})


def test_the_statistics_are_those_of_unit_features():
    task = embed()
    unit = [row / np.sqrt(sum(x * x for x in row)) for row in FEATURES]
    assert task.counts.tolist() == [3, 4, 0]
    dog = np.mean([unit[1], unit[2], unit[3], unit[4]], axis=0)
    assert task.prototypes[1] == pytest.approx(dog / np.linalg.norm(dog), abs=1e-6)
    assert task.prototypes[2].tolist() == [0] * 5
    assert task.mean == pytest.approx(np.mean(unit, axis=0), abs=1e-6)
    assert task.covariance == pytest.approx(LedoitWolf().fit(unit).covariance_, abs=1e-6)
    assert np.linalg.norm(task.text, axis=1) == pytest.approx(np.ones(3), abs=1e-6)
    # what every image has: the mean squared length of a unit feature is 1, and shrinking keeps the trace
    assert task.mean @ task.mean + np.trace(task.covariance) == pytest.approx(1, abs=1e-6)


def test_the_root_squared_is_the_covariance():
    assert embed().root @ embed().root.T == pytest.approx(embed().covariance, abs=1e-6)
    assert not square_root(np.zeros((3, 3))).any()


def test_neither_the_length_of_a_feature_nor_the_order_of_images_matters():
    order = RNG.permutation(7)
    lengths = RNG.uniform(0.1, 9, size=(7, 1))
    other = embed(features=(FEATURES * lengths)[order], labels=[LABELS[i] for i in order])
    for key in ("counts", "prototypes", "mean", "covariance"):
        assert getattr(other, key) == pytest.approx(getattr(embed(), key), abs=1e-6)


def test_one_image_has_no_spread():
    task = embed(features=FEATURES[:1], labels=[2])
    assert not task.covariance.any()
    assert task.mean == pytest.approx(task.prototypes[2], abs=1e-6)


def test_the_file_gives_an_equal_embedding(tmp_path):
    task = embed()
    task.save(tmp_path / "pets.npz")
    read = TaskEmbedding.load(tmp_path / "pets.npz")
    assert (read.name, read.class_names, read.metric, read.fingerprint) == ("pets", task.class_names, "accuracy", "f00")
    for key in ("counts", "prototypes", "mean", "covariance", "text"):
        assert np.array_equal(getattr(read, key), getattr(task, key))
        assert getattr(read, key).dtype == getattr(task, key).dtype
    with pytest.raises(ValueError, match="read-only"):
        read.mean[0] = 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"features": np.zeros((0, 5)), "labels": []}, "image features of shape"),
        ({"features": FEATURES * (ROWS != 6)}, "'pets' has image feature 6 that is zero"),
        ({"features": np.where(ROWS == 2, np.nan, FEATURES)}, "image feature 2 that is zero or not"),
        ({"features": FEATURES[:, :4]}, "width 4 and text features of width 5"),
        ({"labels": LABELS[:5]}, "7 image features and 5 labels"),
        ({"labels": [0, 1, 3, 0, 0, 0, 0]}, "class 3, but its classes are 0 to 2"),
        ({"labels": [()] * 7}, "no image with a label"),
        ({"class_names": [], "labels": [()] * 7}, "has no class"),
        ({"class_names": ["cat", "dog"], "labels": [0] * 7}, r"'text' must have shape \(2, 5\)"),
    ],
)
def test_invalid_features_are_refused(changes, sentence):
    with pytest.raises(GraphError, match=sentence):
        embed(**changes)


def rewrite(path, **changes):
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts.update(changes)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            if data is not None:
                archive.writestr(name, data)


def npy(array, path):
    np.save(path, array, allow_pickle=True)
    return path.read_bytes()


def test_a_damaged_file_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "pets.npz"
    with pytest.raises(GraphError, match="No task embedding at"):
        TaskEmbedding.load(path)
    embed().save(path)
    whole = path.read_bytes()

    def refused(sentence):
        with pytest.raises(GraphError, match=sentence) as caught:
            TaskEmbedding.load(path)
        assert str(path) in str(caught.value)
        path.write_bytes(whole)

    path.write_bytes(whole[:300])
    refused("cannot be opened")
    rewrite(path, **{"text.npy": None})
    refused("has no entry 'text.npy'")
    rewrite(path, **{"mean.npy": npy(np.array([{"a": 1}], dtype=object), tmp_path / "x.npy")})
    refused("'mean.npy'.* an array of type object")
    rewrite(path, **{"mean.npy": npy(np.zeros(4, dtype=np.float32), tmp_path / "x.npy")})
    refused("'prototypes' must have shape")
    huge = npy(np.zeros(5, dtype=np.float32), tmp_path / "x.npy").replace(b"(5,)", b"(9999999999999,)")
    rewrite(path, **{"mean.npy": huge.replace(b" " * 13, b" ", 1)})
    refused("not what its size allows|not a readable")


def test_another_version_is_refused(tmp_path):
    path = tmp_path / "pets.npz"
    embed().save(path)
    for words, sentence in (
        ({"format": "mvlpt-task-embedding", "version": 2}, "of version 2, but this program reads version 1"),
        ({"format": "other"}, "is not a task embedding"),
        ([], "is not a task embedding"),
    ):
        header = np.frombuffer(json.dumps(words).encode(), dtype=np.uint8)
        rewrite(path, **{"header.npy": npy(header, tmp_path / "x.npy")})
        with pytest.raises(GraphError, match=sentence):
            TaskEmbedding.load(path)
