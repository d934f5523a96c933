"""A similarity that a plugin registers is computed, weighted and grouped by, like the built-in ones."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
from support.clusters import random_task

from mvlpt.cli import main
from mvlpt.dassl import load_plugin
from mvlpt.errors import GraphError
from mvlpt.graph import SIMILARITIES, TaskGraph, read_groups, register_similarity, similarity_matrices

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "graph.md").read_text(encoding="utf-8")
PLUGIN = textwrap.dedent(re.search(r"\n((?:(?: {4}.*)?\n)*    from mvlpt.*(?:(?: {4}.*)?\n)*)", PAGE).group(1))
RNG = np.random.default_rng(3)
A, B = random_task(RNG, "a", 2), random_task(RNG, "b", 4)


@pytest.fixture(autouse=True)
def restored():
    before = dict(SIMILARITIES)
    yield
    SIMILARITIES.clear()
    SIMILARITIES.update(before)


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "plugin.py"
    path.write_text(PLUGIN)
    return path


def test_a_plugin_adds_a_similarity(plugin):
    load_plugin(plugin)
    matrices = similarity_matrices([A, B])
    assert list(matrices)[-1] == "label.count"
    assert matrices["label.count"].tolist() == [[1, 0.5], [0.5, 1]]
    mean = TaskGraph(["a", "b"], matrices).combined("label.count=1,label=1", rescale=False)
    assert mean[0, 1] == pytest.approx((0.5 + matrices["label.chamfer"][0, 1]) / 2)


def test_mvlpt_group_uses_the_similarity_of_a_plugin(plugin, tmp_path, toy_tasks, capsys):
    data = ["--tasks=toy-warm,toy-cold,toy-all", "--shots=2", "--seed=1", f"--plugin={plugin}", "--no-pictures"]
    data += ["--config-file", "configs/trainers/MVLPT-CoOp/embedded.yaml"]
    out = tmp_path / "out"
    assert main(["group", *data, "--similarity=label.count=1", "--method=single", f"--out={out}"]) == 0
    graph = TaskGraph.load(out / "task_graph.json")
    classes = {task: values["classes"] for task, values in graph.attributes.items()}
    for i, a in enumerate(graph.tasks):
        for j, b in enumerate(graph.tasks):
            expected = min(classes[a], classes[b]) / max(classes[a], classes[b])
            assert graph.matrix("label.count")[i, j] == pytest.approx(expected)
    assert len(read_groups(out).groups) == 3


def test_a_directed_function_is_averaged_over_both_directions():
    register_similarity("label.more", lambda a, b: float(len(a) > len(b)), inputs=["class_names"], symmetric=False)
    assert SIMILARITIES["label.more"](A, B) == 0.5
    assert SIMILARITIES["label.more"](A, A) == 0


def test_values_outside_0_and_1_are_refused_with_the_tasks():
    register_similarity("label.sum", lambda a, b: len(a) + len(b), inputs=["class_names"])
    with pytest.raises(GraphError, match=r"'label\.sum' of 'a' and 'b' is 6; it must be between 0 and 1"):
        similarity_matrices([A, B], ["label.sum"])


@pytest.mark.parametrize(
    ("name", "inputs", "message"),
    [
        ("visual.cka", ["mean"], "named 'visual.cka' is registered already"),
        ("label", ["mean"], "named 'label' is registered already"),
        ("new", ["means"], "no input 'means' for 'new'; did you mean 'mean'"),
        ("a=b", ["mean"], "cannot be named 'a=b'"),
    ],
)
def test_invalid_registrations(name, inputs, message):
    with pytest.raises(GraphError, match=message):
        register_similarity(name, lambda a, b: 1.0, inputs=inputs)


def test_the_name_of_one_input_is_enough():
    register_similarity("label.count", lambda a, b: min(len(a), len(b)) / max(len(a), len(b)), inputs="class_names")
    assert SIMILARITIES["label.count"](A, B) == 0.5


def test_force_replaces_a_similarity():
    register_similarity("visual.cka", lambda a, b: 0.25, inputs=["mean"], force=True)
    assert similarity_matrices([A, B], ["visual.cka"])["visual.cka"][0, 1] == 0.25
