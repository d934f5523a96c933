"""Task graphs built from data: what is computed, what a folder keeps, and that nothing is printed."""

import numpy as np
import pytest
from support.grouping import TASKS, forbid_computing, toy_request

from mvlpt.data.datasets import DATASET_REGISTRY
from mvlpt.errors import GraphError
from mvlpt.experiment.grouping import build_task_graph, find_groups, regroup
from mvlpt.experiment.grouping.options import GroupingOptions
from mvlpt.graph import TaskGraph, read_groups

pytestmark = pytest.mark.usefixtures("toy_tasks")


def test_the_library_writes_files_and_prints_nothing(tmp_path, capfd):
    result = find_groups(toy_request(), tmp_path)
    assert [path.name for path in result.files] == ["groups.yaml", "task_graph.graphml"]
    assert TaskGraph.load(tmp_path / "task_graph.json").tasks == result.graph.tasks == TASKS
    assert read_groups(tmp_path / "groups.yaml", TASKS).groups == result.grouping.groups
    assert result.matrix.shape == (3, 3)
    assert result.title.startswith("3 tasks in ")
    assert capfd.readouterr() == ("", "")


def test_progress_is_counted_to_its_end(tmp_path):
    from contextlib import contextmanager

    seen = {}

    @contextmanager
    def progress(what):
        seen[what] = []
        yield lambda done, total: seen[what].append((done, total))

    build_task_graph(toy_request(affinity="grad", steps=1), tmp_path, progress)
    assert list(seen) == ["embedding images", "comparing tasks", "affinities of MVLPT-CoOp"]
    for counts in seen.values():
        assert counts[-1][0] == counts[-1][1] > 0


def test_another_task_costs_its_own_pairs_only(tmp_path):
    build_task_graph(toy_request(TASKS[:2]), tmp_path / "grown")
    grown = build_task_graph(toy_request(), tmp_path / "grown")
    assert grown.computed == ["1 task embedded", "2 pairs of tasks compared"]
    assert grown.kept == ["2 embeddings"]
    fresh = build_task_graph(toy_request(), tmp_path / "fresh")
    for name, matrix in fresh.graph.similarities.items():
        np.testing.assert_allclose(grown.graph.similarities[name], matrix, atol=1e-9)


def test_a_damaged_graph_is_refused_with_a_remedy_that_helps(tmp_path):
    (tmp_path / "task_graph.json").write_text("{")
    with pytest.raises(
        GraphError, match=r"task_graph\.json is not readable JSON: .*; delete the file, and run the same"
    ):
        build_task_graph(toy_request(), tmp_path)


def test_the_order_of_tasks_does_not_matter(tmp_path):
    orders = (TASKS, ("toy-all", "toy-warm", "toy-cold"))
    groups = [find_groups(toy_request(order), tmp_path / order[0]).grouping.groups for order in orders]
    assert groups[0] == groups[1]


@pytest.mark.parametrize("kind", ["grad", "lookahead", "panda"])
def test_an_affinity_is_kept_in_the_graph(tmp_path, monkeypatch, kind):
    update = build_task_graph(toy_request(affinity=kind, steps=1), tmp_path)
    assert update.affinity == f"{kind}.MVLPT-CoOp"
    assert update.computed[-1] == f"affinity '{kind}.MVLPT-CoOp'"
    assert np.isfinite(update.graph.matrix(update.affinity)).all()
    forbid_computing(monkeypatch)
    assert build_task_graph(toy_request(affinity=kind, steps=1), tmp_path).computed == []
    with pytest.raises(AssertionError, match="computed again"):  # another learning rate gives another affinity
        build_task_graph(toy_request(affinity=kind, steps=1, overrides=["OPTIM.LR", "0.5"]), tmp_path)


def test_an_affinity_needs_no_test_images(tmp_path):
    names = []
    for task in TASKS[:2]:

        class NoTest(DATASET_REGISTRY.get(task)):
            def __init__(self, cfg):
                super().__init__(cfg)
                self._test = []

        names.append(f"{task}-only")
        DATASET_REGISTRY.register(NoTest, name=names[-1], force=True)
    options = {"affinity": "grad", "steps": 1, "overrides": ["TEST.FINAL_MODEL", "best_val"]}
    assert build_task_graph(toy_request(names, **options), tmp_path).affinity == "grad.MVLPT-CoOp"


def test_cosines_of_prompted_features_group_as_a_similarity_does(tmp_path):
    found = find_groups(toy_request(affinity="panda", steps=1), tmp_path)
    pairs = found.matrix[np.triu_indices(3, 1)]
    assert found.grouping.settings["threshold"] == pytest.approx(pairs.mean())
    assert found.grouping.settings["affinity"] == "panda.MVLPT-CoOp"
    assert not found.directed
    assert np.array_equal(found.matrix, found.matrix.T)
    again = regroup(tmp_path / "task_graph.json", GroupingOptions(affinity="panda"), tmp_path / "again")
    assert again.grouping.groups == found.grouping.groups


def test_a_graph_is_grouped_again_without_its_data(tmp_path, monkeypatch):
    build_task_graph(toy_request(), tmp_path)
    forbid_computing(monkeypatch)
    result = regroup(tmp_path / "task_graph.json", GroupingOptions(groups=2), tmp_path / "again", TASKS[:2])
    assert result.grouping.groups == (("toy-cold",), ("toy-warm",))
    assert TaskGraph.load(tmp_path / "again" / "task_graph.json").tasks == TASKS[:2]
