"""Similarities that follow from another one: centring over all tasks."""

import itertools

import numpy as np
import pytest
from support.clusters import random_similarity

from mvlpt.errors import GraphError
from mvlpt.experiment.grouping import GroupingOptions
from mvlpt.graph import TaskGraph, combine, group_tasks
from mvlpt.graph.similarity import DERIVED, centred, resolve_weights

TASKS = tuple(f"{subject}-{look}" for look in ("plain", "dark") for subject in ("cats", "cars", "cups"))


def cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def cone(seed=0):
    """Unit vectors in a narrow cone that differ more by subject than by look."""
    rng = np.random.default_rng(seed)
    axis, *parts = np.linalg.qr(rng.normal(size=(12, 6)))[0].T
    looks, subjects = dict(zip(("plain", "dark"), parts[:2], strict=True)), parts[2:]
    rows = [
        3 * axis + looks[task.split("-")[1]] + 0.5 * subjects[("cats", "cars", "cups").index(task.split("-")[0])]
        for task in TASKS
    ]
    return np.array([row / np.linalg.norm(row) for row in rows])


def test_centring_equals_cosines_of_centred_vectors():
    vectors = cone()
    found = centred((1 + cosines(vectors)) / 2)
    assert found == pytest.approx((1 + cosines(vectors - vectors.mean(axis=0))) / 2, abs=1e-9)


def test_centring_is_a_similarity_whatever_the_matrix_and_the_order():
    rng = np.random.default_rng(3)
    for size in (1, 2, 5):
        matrix = random_similarity(rng, size)
        found = centred(matrix)
        assert np.array_equal(found, found.T)
        assert ((found >= 0) & (found <= 1)).all()
        assert found.diagonal().tolist() == [1] * size
        for order in itertools.islice(itertools.permutations(range(size)), 10):
            assert np.array_equal(centred(matrix[np.ix_(order, order)]), found[np.ix_(order, order)])


def test_equal_tasks_stay_equal():
    assert centred(np.ones((3, 3))).diagonal().tolist() == [1, 1, 1]
    twins = centred(np.array([[1, 1, 0.2], [1, 1, 0.2], [0.2, 0.2, 1]]))
    assert twins[0, 1] == pytest.approx(1)


def test_a_graph_of_any_version_has_the_derived_similarity_without_storing_it(tmp_path):
    matrix = (1 + cosines(cone())) / 2
    TaskGraph(TASKS, {"visual.frechet": matrix}).save(tmp_path / "task_graph.json")
    graph = TaskGraph.load(tmp_path / "task_graph.json")
    assert list(graph.similarities) == ["visual.frechet"]
    assert np.array_equal(graph.matrix("visual.centred"), centred(matrix))
    assert not graph.matrix("visual.centred").flags.writeable
    assert np.array_equal(graph.combined("visual.centred", rescale=False), centred(matrix))
    mixed = combine({"visual.frechet": matrix}, {"visual": 1, "visual.centred": 1}, rescale=False)
    assert mixed == pytest.approx((matrix + centred(matrix)) / 2)
    looks = group_tasks(graph.combined("visual.centred"), TASKS, kind="similarity").groups
    assert {frozenset(group) for group in looks} == {frozenset(TASKS[:3]), frozenset(TASKS[3:])}


def test_what_it_follows_from_must_be_there():
    graph = TaskGraph(TASKS[:2], {"label.names": np.eye(2)})
    with pytest.raises(GraphError, match=r"no similarity or affinity 'visual\.centred'"):
        graph.matrix("visual.centred")
    with pytest.raises(GraphError, match=r"no similarity 'visual\.centred'"):
        graph.combined("visual.centred")
    with pytest.raises(GraphError, match=r"did you mean 'visual\.centred'"):
        resolve_weights({"visual.centered": 1.0})


def test_it_is_what_tasks_are_grouped_by_where_nothing_is_said():
    assert GroupingOptions().similarity in DERIVED
    assert GroupingOptions(similarity="visual=0.5,label=0.5").similarity == "visual=0.5,label=0.5"
