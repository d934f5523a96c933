"""Figures of a task graph: the order of tasks, what is drawn where, and that nothing overlaps."""

import itertools
import math

import numpy as np
import pytest

from mvlpt.errors import GraphError
from mvlpt.report.graphs.figures import COLOURS, group_colours, save_figure, text_colour, text_width
from mvlpt.report.graphs.heatmap import draw_heatmap
from mvlpt.report.graphs.network import draw_network, nearest_edges
from mvlpt.report.graphs.order import grouped_tree


def planted(count, groups, seed=0):
    """A similarity with blocks, task names, and the blocks as groups."""
    rng = np.random.default_rng(seed)
    words = ["commerce", "devices", "files", "medical", "power", "tools", "vehicles", "weather"]
    tasks = [f"{words[i % 8]}-{('plain', 'dark', 'blueprint')[i % 3]}-{i}" for i in range(count)]
    label = np.concatenate([np.arange(groups), rng.integers(0, groups, count - groups)])
    matrix = np.clip(0.3 + 0.3 * (label[:, None] == label) + rng.normal(0, 0.05, (count, count)), 0, 1)
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 1)
    return matrix, tasks, {f"g{k + 1}": [tasks[i] for i in np.flatnonzero(label == k)] for k in range(groups)}


def leaves(branch):
    return [branch] if not branch.parts else [leaf for part in branch.parts for leaf in leaves(part)]


def branches(branch):
    yield branch
    for part in branch.parts:
        yield from branches(part)


def test_the_tree_keeps_groups_together():
    matrix, tasks, groups = planted(20, 4)
    tree = grouped_tree(matrix, tasks, groups)
    assert sorted(tree.tasks) == sorted(tasks)
    assert [leaf.tasks[0] for leaf in leaves(tree)] == list(tree.tasks)
    of = {task: name for name, members in groups.items() for task in members}
    runs = [name for name, _ in itertools.groupby(of[task] for task in tree.tasks)]
    assert sorted(runs) == sorted(groups)
    for branch in branches(tree):
        assert all(part.height <= branch.height for part in branch.parts)
        assert branch.group == "" or {of[task] for task in branch.tasks} == {branch.group}


def test_the_nearest_pair_is_joined_first_and_the_order_of_tasks_does_not_matter():
    tasks = ["a", "b", "c", "d"]
    matrix = np.array([[1, 0.2, 0.9, 0.1], [0.2, 1, 0.3, 0.8], [0.9, 0.3, 1, 0.15], [0.1, 0.8, 0.15, 1.0]])
    tree = grouped_tree(matrix, tasks, {"g1": tasks})
    pairs = {frozenset(branch.tasks) for branch in branches(tree) if len(branch.tasks) == 2}
    assert pairs == {frozenset("ac"), frozenset("bd")}
    matrix, tasks, groups = planted(20, 4)
    order = np.random.default_rng(1).permutation(20)
    turned = grouped_tree(matrix[np.ix_(order, order)], [tasks[i] for i in order], groups)
    assert turned.tasks == grouped_tree(matrix, tasks, groups).tasks


def test_the_heat_map_shows_the_matrix_in_the_order_of_the_tree():
    matrix, tasks, groups = planted(20, 4)
    order = [tasks.index(task) for task in grouped_tree(matrix, tasks, groups).tasks]
    image = draw_heatmap(matrix, tasks, groups).axes[0].images[0]
    expected = matrix[np.ix_(order, order)]
    off = ~np.eye(20, dtype=bool)
    np.testing.assert_array_equal(np.asarray(image.get_array())[off], expected[off])
    assert np.ma.getmaskarray(image.get_array())[~off].all()
    assert image.get_clim() == (expected[off].min(), expected[off].max())


def test_an_affinity_is_coloured_around_zero_and_keeps_its_direction():
    matrix, tasks, groups = planted(6, 2)
    matrix = matrix - 0.4
    matrix[0, 1], matrix[1, 0], matrix[2, 3] = 0.5, -0.5, np.nan
    image = draw_heatmap(matrix, tasks, groups, directed=True).axes[0].images[0]
    low, high = image.get_clim()
    assert low == -high
    order = [tasks.index(task) for task in grouped_tree(matrix, tasks, groups).tasks]
    shown = np.ma.filled(image.get_array(), np.nan)
    assert shown[order.index(0), order.index(1)] == 0.5
    assert np.isnan(shown[order.index(2), order.index(3)])


@pytest.mark.parametrize(("count", "groups"), [(3, 2), (20, 4), (100, 11)])
def test_names_in_the_heat_map_do_not_overlap(count, groups):
    matrix, tasks, groups = planted(count, groups)
    figure = draw_heatmap(matrix, tasks, groups, title="a title")
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    names = [text for axes in figure.axes for text in axes.texts if text.get_text() in tasks]
    assert len(names) == 2 * count
    boxes = [text.get_window_extent(renderer) for text in names]
    for side in (0, 1):  # of the rows, of the columns
        for a, b in itertools.pairwise(boxes[side::2]):
            assert not a.overlaps(b)
    assert all(box.x0 >= 0 and box.y0 >= 0 for box in boxes)
    assert all(box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 for box in boxes)
    assert all(text.get_fontsize() >= 6 for text in names)


@pytest.mark.parametrize(("count", "groups"), [(1, 1), (3, 2), (20, 4), (100, 11)])
def test_names_around_the_circle_do_not_overlap(count, groups):
    matrix, tasks, groups = planted(count, groups)
    figure = draw_network(matrix, tasks, groups, sizes=dict.fromkeys(tasks, 5), title="a title")
    figure.canvas.draw()
    names = [text for text in figure.axes[0].texts if text.get_text() in tasks]
    assert len(names) == count
    places = np.array([text.get_position() for text in names])
    near = min((math.dist(a, b) for a, b in itertools.combinations(places, 2)), default=1)
    assert near >= 1.1 * names[0].get_fontsize() / 72  # inches between lines of this height
    renderer = figure.canvas.get_renderer()
    for box in (text.get_window_extent(renderer) for text in names):
        assert 0 <= box.x0 <= box.x1 <= figure.bbox.x1
        assert 0 <= box.y0 <= box.y1 <= figure.bbox.y1
    assert {text.get_text() for text in figure.axes[0].texts} == {*tasks, *groups}


def test_edges_connect_the_nearest():
    matrix = np.array([[1, 0.9, 0.1, 0.2], [0.9, 1, 0.3, 0.0], [0.1, 0.3, 1, 0.4], [0.2, 0.0, 0.4, 1]])
    assert nearest_edges(matrix, list("abcd"), 1) == [("c", "d", 0.4), ("a", "b", 0.9)]
    directed = np.array([[0, 0.6, -1.0], [0.2, 0, np.nan], [-1.0, 0.5, 0]])
    assert nearest_edges(directed, list("abc"), 3) == [("a", "b", pytest.approx(0.4)), ("b", "c", 0.5)]


def test_colours():
    groups = {"g1": ["a", "b"], "g2": ["c"], "g3": ["d", "e"]}
    colours = group_colours(groups)
    assert (colours["g1"], colours["g3"]) == COLOURS[:2]
    assert colours["g2"] not in COLOURS
    assert len(set(COLOURS)) == len(COLOURS) >= 12
    assert text_colour("#000000") == "white"
    assert text_colour("#FFFFFF") != "white"


def test_the_width_of_a_string_is_estimated_well():
    from matplotlib.textpath import TextPath

    for text in ("commerce-blueprint", "Weather_dark.2", "illicit", "MNIST"):
        true = TextPath((0, 0), text, size=10).get_extents().width / 72
        assert true <= text_width([text], 10) <= 1.35 * true


def test_files_are_whole_and_the_same_every_time(tmp_path):
    matrix, tasks, groups = planted(6, 2)
    tasks[0] = "$weird_{name}$ <&>"
    groups = {"g1": tasks[:3], "g2": tasks[3:]}
    first = save_figure(draw_heatmap(matrix, tasks, groups, title="$x"), tmp_path / "a")
    second = save_figure(draw_heatmap(matrix, tasks, groups, title="$x"), tmp_path / "b")
    assert [path.name for path in first] == ["a.png", "a.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert first[0].read_bytes()[:4] == b"\x89PNG"
    assert len(list(tmp_path.iterdir())) == 4
    save_figure(draw_network(matrix, tasks, groups), tmp_path / "c")


@pytest.mark.parametrize("draw", [draw_heatmap, draw_network])
def test_invalid_input_is_refused(draw):
    matrix, tasks, groups = planted(6, 2)
    with pytest.raises(GraphError, match="needs a 6 x 6 matrix"):
        draw(matrix[:5], tasks, groups)
    with pytest.raises(GraphError, match=f"'{tasks[0]}' is missing"):
        draw(matrix, tasks, {name: [task for task in members if task != tasks[0]] for name, members in groups.items()})
