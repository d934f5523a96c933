"""The task graph and its files."""

import json

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clusters import random_similarity

from mvlpt.errors import GraphError
from mvlpt.graph import TaskGraph, combine

TASKS = ("cats", "dogs", "eels", 'a "quoted" <name>, Ä')


def example(seed=0, tasks=TASKS, missing=True):
    rng = np.random.default_rng(seed)
    size = len(tasks)
    gains = rng.normal(size=(size, size))
    if missing and size > 2:
        gains[0, 2] = np.nan
    return TaskGraph(
        tasks,
        {"visual.frechet": random_similarity(rng, size), "label.chamfer": random_similarity(rng, size)},
        {"lookahead": gains, "measured": rng.normal(size=(size, size)) * 1e-17},
        {tasks[0]: {"classes": 3, "images": np.int64(48), "metric": "accuracy", "fingerprint": "f00", "cost": 1.5}},
        {"shots": 16, "templates": ("a {}.",), "backbone": {"name": "ViT"}},
    )


def same(a, b):
    assert a.tasks == b.tasks
    assert a.attributes == b.attributes
    assert a.settings == b.settings
    for kind in ("similarities", "affinities"):
        assert list(getattr(a, kind)) == list(getattr(b, kind))
        for name, matrix in getattr(a, kind).items():
            assert np.array_equal(matrix, getattr(b, kind)[name], equal_nan=True)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 6))
def test_the_file_gives_an_equal_graph_to_the_last_bit(seed, size, tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "task_graph.json"
    graph = example(seed, tuple(f"t{i}" for i in range(size)))
    graph.save(path)
    same(TaskGraph.load(path), graph)
    first = path.read_bytes()
    TaskGraph.load(path).save(path)
    assert path.read_bytes() == first


def test_any_combination_of_matrices_can_be_saved(tmp_path):
    path = tmp_path / "task_graph.json"
    for graph in (
        TaskGraph(TASKS),
        TaskGraph(TASKS, {"mine": np.eye(4)}),
        TaskGraph(TASKS, None, {"gain": np.ones((4, 4))}),
        TaskGraph(["alone"], {"mine": [[1]]}, {"gain": [[np.nan]]}),
    ):
        graph.save(path)
        same(TaskGraph.load(path), graph)


def test_networkx_reads_the_file_by_itself(tmp_path):
    graph = example()
    graph.save(tmp_path / "task_graph.json")
    content = json.loads((tmp_path / "task_graph.json").read_text(encoding="utf-8"))
    assert content["graph"]["format"] == "mvlpt-task-graph"
    assert content["graph"]["version"] == 1
    read = nx.node_link_graph(content, edges="edges")
    assert nx.utils.graphs_equal(nx.Graph(read.edges(data=True)), nx.Graph(graph.similarity_graph().edges(data=True)))
    assert dict(read.nodes(data=True)) == dict(graph.similarity_graph().nodes(data=True))
    assert read.nodes["cats"] == {"classes": 3, "images": 48, "metric": "accuracy", "fingerprint": "f00", "cost": 1.5}


def test_the_networkx_graphs_have_every_value_by_name():
    graph = example()
    similar = graph.similarity_graph()
    assert similar.number_of_edges() == 6
    assert similar["dogs"]["cats"]["label.chamfer"] == graph.matrix("label")[0, 1]
    helps = graph.affinity_graph()
    assert helps.number_of_edges() == 12
    assert not list(nx.selfloop_edges(helps))
    assert set(helps["cats"]["eels"]) == {"measured"}
    assert helps["eels"]["cats"]["lookahead"] == graph.matrix("lookahead")[2, 0]
    similar.remove_node("cats")
    assert "cats" in graph.similarity_graph()


def test_a_graph_is_immutable():
    given = random_similarity(np.random.default_rng(0), 2)
    attributes, settings_ = {"a": {"names": ["x"]}}, {"shots": [1]}
    graph = TaskGraph(["a", "b"], {"mine": given}, attributes=attributes, settings=settings_)
    given[0, 1] = 9
    attributes["a"]["names"].append("y")
    graph.attributes["a"]["names"].append("z")
    graph.settings["shots"].append(2)
    graph.similarities.clear()
    assert graph.matrix("mine")[0, 1] != 9
    assert graph.attributes["a"] == {"names": ["x"]}
    assert graph.settings == {"shots": [1]}
    with pytest.raises(ValueError, match="read-only"):
        graph.matrix("mine")[0, 1] = 9


def test_a_saved_graph_is_combined_with_other_weights(tmp_path):
    graph = example()
    graph.save(tmp_path / "g.json")
    read = TaskGraph.load(tmp_path / "g.json")
    for weights in ("visual=1,label=3", {"visual.frechet": 0.25, "label": 0.75}):
        assert read.combined(weights) == pytest.approx(combine(graph.similarities, {"visual": 1, "label": 3}))
    assert np.array_equal(read.combined("visual", rescale=False), graph.matrix("visual.frechet"))


def test_a_subset_keeps_its_pairs_in_the_order_given():
    part = example().subset(["eels", "cats"])
    assert part.tasks == ("eels", "cats")
    assert part.matrix("visual")[0, 1] == example().matrix("visual")[2, 0]
    assert part.matrix("lookahead")[0, 1] == example().matrix("lookahead")[2, 0]
    assert np.isnan(part.matrix("lookahead")[1, 0])
    assert part.attributes["cats"]["images"] == 48
    with pytest.raises(GraphError, match="no task 'dog'; did you mean 'dogs'"):
        example().subset(["dog"])
    with pytest.raises(GraphError, match="'dogs' twice"):
        example().subset(["dogs", "dogs"])


def test_graphml_round_trip(tmp_path):
    graph = example()
    written = graph.save_graphml(tmp_path / "task_graph.graphml", weights="visual=1,label=1")
    assert [path.name for path in written] == ["task_graph.graphml", "task_graph.affinity.graphml"]
    similar, helps = (nx.read_graphml(path) for path in written)
    assert set(similar) == set(TASKS)
    assert not similar.is_directed()
    assert helps.is_directed()
    mean = graph.combined("visual=1,label=1")
    for i, j in ((0, 1), (2, 3)):
        edge = similar.edges[TASKS[i], TASKS[j]]
        assert edge["visual.frechet"] == pytest.approx(graph.matrix("visual")[i, j])
        assert edge["weight"] == pytest.approx(mean[i, j])
    assert helps.edges["cats", "dogs"]["lookahead"] == pytest.approx(graph.matrix("lookahead")[0, 1])
    assert "lookahead" not in helps.edges["cats", "eels"]
    assert similar.nodes["cats"] == {**graph.attributes["cats"], "label": "cats"}
    assert len(TaskGraph(TASKS, {"mine": np.eye(4)}).save_graphml(tmp_path / "x.graphml")) == 1


def test_graphml_writes_only_scalar_attributes(tmp_path):
    attributes = {
        "a": {
            "cost": 1,
            "names": ["x", "y"],
            "text": "two\x00 lines\n",
            "none": None,
            "ready": True,
            "source": "web",
            "\x01": 1,
        },
        "b": {"cost": 1.5},
    }
    TaskGraph(["a", "b"], {"mine": np.eye(2)}, attributes=attributes).save_graphml(tmp_path / "x.graphml")
    read = nx.read_graphml(tmp_path / "x.graphml")
    assert read.nodes["a"] == {
        "label": "a",
        "cost": 1.0,
        "names": '["x", "y"]',
        "text": "two  lines ",
        "ready": True,
        "source": "web",
        " ": 1,
    }
    assert (tmp_path / "x.graphml").read_text().count('attr.name="cost"') == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tasks": ["a", "a"]}, "'a' twice"),
        ({"similarities": {"mine": [[1, 0.2], [0.3, 1]]}}, "similarity 'mine' is not symmetric"),
        ({"similarities": {"mine": [[1, np.nan], [np.nan, 1]]}}, "'mine' is nan for 'a' and 'b'"),
        ({"similarities": {"mine": np.eye(3)}}, "3 x 3 and not 2 x 2"),
        ({"similarities": {"mine": np.eye(2), "source": np.eye(2)}}, "cannot be named 'source'"),
        ({"similarities": {"x": np.eye(2)}, "affinities": {"x": np.eye(2)}}, "'x' is the name of a similarity and"),
        ({"affinities": {"gain": [[0, np.nan], [np.nan, 0]]}}, "no value for any pair"),
        ({"affinities": {"gain": [[0, np.inf], [1, 0]]}}, "inf for 'a' and 'b'"),
        ({"attributes": {"c": {}}}, "no task 'c'"),
        ({"attributes": {"a": {"id": 1}}}, "without the key 'id'"),
        ({"attributes": {"a": {"cost": float("nan")}}}, "nan in the attributes of 'a'"),
        ({"attributes": {"a": {"cost": -1}}}, "'cost' of task 'a' is -1, but must be a number of at least 0"),
        ({"attributes": {"a": {"classes": 2.0}}}, "'classes' of task 'a' is 2.0, but must be a whole number"),
        ({"attributes": {"a": {"metric": None}}}, "'metric' of task 'a' is None, but must be a string"),
        ({"settings": {"path": object()}}, "in the settings cannot be saved"),
        ({"settings": {1: 2}}, "A key in the settings is not a string"),
    ],
)
def test_invalid_graphs_are_refused(options, sentence):
    with pytest.raises(GraphError, match=sentence):
        TaskGraph(**{"tasks": ["a", "b"], **options})


def test_an_unknown_matrix_suggests_the_nearest():
    with pytest.raises(GraphError, match="'lookahed'; did you mean 'lookahead'"):
        example().matrix("lookahed")
    with pytest.raises(GraphError, match="no similarity or affinity 'visual'; known: gain"):
        TaskGraph(["a", "b"], None, {"gain": np.eye(2)}).matrix("visual")


def edited(tmp_path, edit):
    path = tmp_path / "task_graph.json"
    example().save(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda c: c["graph"].update(version=2), "of version 2, and this program reads version 1"),
        (lambda c: c["graph"].pop("version"), "of version None"),
        (lambda c: c["graph"].update(format="other"), "not a task graph"),
        (lambda c: c.pop("graph"), "not a task graph"),
        (lambda c: c.pop("nodes"), "'nodes' must be a list"),
        (lambda c: c["nodes"].append({"id": "cats"}), "'cats' twice"),
        (lambda c: c["nodes"].pop(), "names the unknown task"),
        (lambda c: c["nodes"].append({"id": "new"}), "edge 'cats' - 'new' is missing"),
        (lambda c: c["edges"].pop(3), "edge 'dogs' - 'eels' is missing"),
        (lambda c: c["edges"].append(c["edges"][0]), "'cats' - 'dogs' in 'edges' is repeated"),
        (lambda c: c["edges"].append({"source": "eels", "target": "cats", **VALUES}), "'cats' - 'eels' in .* repeated"),
        (lambda c: c["edges"][0].pop("label.chamfer"), "lacks 'label.chamfer'"),
        (lambda c: c["edges"][0].update({"label.chamfr": 1}), "has the value 'label.chamfr', .*; did you mean"),
        (lambda c: c["edges"][0].update({"label.chamfer": "1"}), "has '1' for 'label.chamfer'; it must be a number"),
        (lambda c: c["edges"][0].update({"label.chamfer": 7}), "contains 7; a similarity"),
        (lambda c: c["edges"][0].update({"label.chamfer": 10**400}), "too many digits"),
        (lambda c: c["edges"][0].update({"label.chamfer": float("nan")}), "NaN is not a number"),
        (lambda c: c["edges"][0].update(target="cat"), "unknown task 'cat'; did you mean 'cats'"),
        (lambda c: c["edges"][0].update(target="cats"), "joins 'cats' to itself"),
        (lambda c: c["edges"][0].pop("source"), "has no 'source'"),
        (lambda c: c["edges"].append(5), "has no 'source'"),
        (lambda c: c.update(edges={}), "'edges' must be a list"),
        (lambda c: c["affinities"].append(c["affinities"][0]), "in 'affinities' is repeated"),
        (lambda c: c["graph"].update(affinities=["a", "a"]), "list of different names"),
        (lambda c: c["nodes"][0].update(cost="much"), "'cost' of task 'cats' is 'much', but must be a number"),
        (lambda c: c["graph"].update(settings=[]), "'graph.settings' must be a mapping"),
        (lambda c: c.update(nodes=[{"id": f"t{i}"} for i in range(20_000)]), "need more than 1 GiB"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, edit, sentence):
    path = edited(tmp_path, edit)
    with pytest.raises(GraphError, match=sentence) as caught:
        TaskGraph.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


VALUES = {"visual.frechet": 0.5, "label.chamfer": 0.5}


def test_files_that_are_not_json(tmp_path):
    path = tmp_path / "task_graph.json"
    with pytest.raises(GraphError, match="no such file"):
        TaskGraph.load(path)
    for data in (b"{", b"\xff\xfe", b"[" * 100_000, b""):
        path.write_bytes(data)
        with pytest.raises(GraphError, match="not readable JSON"):
            TaskGraph.load(path)
    path.write_text("[]")
    with pytest.raises(GraphError, match="not a task graph"):
        TaskGraph.load(path)


def test_the_former_name_of_attributes_warns():
    with pytest.warns(DeprecationWarning, match="attributes"):
        graph = TaskGraph(["a"], facts={"a": {"classes": 3}})
    with pytest.warns(DeprecationWarning, match="attributes"):
        assert graph.facts == graph.attributes == {"a": {"classes": 3}}
