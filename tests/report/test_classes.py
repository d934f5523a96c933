"""Tables and pictures of how well each class is recognised."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mvlpt import cli
from mvlpt.engine import ClassResults, read_evaluation
from mvlpt.engine.class_results import write_evaluation
from mvlpt.report import rich_table
from mvlpt.report.classes import (
    classes_sheet,
    confusion_sheet,
    draw_classes,
    draw_confusions,
    most_confused,
    save_class_figure,
    save_confusions,
)
from mvlpt.report.graphs import new_figure, save_figure

ROOT = Path(__file__).resolve().parents[2]
COUNTS = np.array([[3, 1, 0], [0, 4, 0], [2, 2, 0]])
THREE = ClassResults("a/b", "accuracy", 58.3, ("cat", "[dog]", "$x$\x1b"), COUNTS)


def fields(sheet):
    return [[entry.text for entry in row] for row in sheet.rows]


def test_classes_are_listed_with_the_best_first():
    assert fields(classes_sheet(THREE)) == [
        ["[dog]", "4", "4", "100.0", "█" * 20],
        ["cat", "4", "3", "75.0", "█" * 15],
        ["$x$\\x1b", "4", "0", "0.0", ""],
    ]


def test_a_class_without_images_is_last_and_has_no_number():
    counts = COUNTS.copy()
    counts[0] = 0
    rows = fields(classes_sheet(ClassResults("t", "accuracy", 0.0, THREE.classes, counts)))
    assert rows[-1] == ["cat", "0", "0", "–", ""]


def test_the_matrix_has_a_row_for_each_true_class():
    assert fields(confusion_sheet(THREE))[2] == ["3 $x$\\x1b", "2", "2", "·"]


def test_of_many_classes_the_most_frequent_confusions_are_listed():
    counts = np.diag(np.full(30, 5))
    counts[7, 3], counts[2, 9] = 5, 1
    many = ClassResults("t", "accuracy", 90.0, tuple(f"c{n}" for n in range(30)), counts)
    assert fields(confusion_sheet(many)) == [["c7", "c3", "5", "50"], ["c2", "c9", "1", "17"]]
    assert most_confused(np.eye(3, dtype=int), 5) == []


@pytest.mark.parametrize("classes", [1, 3, 70])
def test_pictures_of_few_and_many_classes(classes, tmp_path, monkeypatch):
    monkeypatch.setattr("mvlpt.report.classes.class_figures.BARS", 20)
    counts = np.random.default_rng(0).integers(0, 9, (classes, classes))
    results = ClassResults("a/b", "accuracy", 50.0, tuple(f"$class {n}" for n in range(classes)), counts)
    files = [*save_class_figure(results, tmp_path), *save_confusions(results, tmp_path)]
    assert sorted(path.name for path in files) == sorted(path.name for path in tmp_path.iterdir())
    assert {path.name for path in files} == {
        f"{kind}_a_b.{suffix}" for kind in ("classes", "confusion") for suffix in ("png", "svg")
    }


@pytest.mark.parametrize("draw", [draw_classes, draw_confusions])
def test_long_titles_fit(draw):
    figure = draw(ClassResults("a task of a rather long name " * 3, "accuracy", 50.0, ("a", "b"), np.eye(2, dtype=int)))
    (title,) = figure.texts
    assert title.get_window_extent(figure.canvas.get_renderer()).x1 <= figure.bbox.x1


def test_pictures_of_very_many_classes_stay_small(tmp_path):
    results = ClassResults("t", "accuracy", 50.0, tuple(f"{n}" for n in range(2000)), np.eye(2000, dtype=np.int32))
    assert max(draw_confusions(results).get_size_inches()) < 12
    with Image.open(save_figure(new_figure(100, 50), tmp_path / "large")[0]) as picture:
        assert picture.size == (4000, 2000)


def test_the_command_shows_and_draws_them_though_it_is_quiet(toy_tasks, tmp_path, capsys):
    options = ["OPTIM.MAX_EPOCH", "1", "TEST.PER_CLASS_RESULT", "True", "TEST.COMPUTE_CMAT", "True"]
    words = ["--dataset", "toy-warm", "--shots", "1", "--seed", "1", "--quiet", "--output-dir", str(tmp_path / "run")]
    assert cli.main(["train", "--config-file", "MVLPT-CoOp/embedded", *words, *options]) == 0
    shown = capsys.readouterr().out
    assert "toy-warm: accuracy of each class" in shown
    assert "toy-warm: confusion matrix" in shown
    assert "pictures: classes_toy-warm.png, confusion_toy-warm.png" in shown
    found = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"classes_toy-warm.svg", "confusion_toy-warm.csv", "confusion_toy-warm.png"} <= found
    assert list(read_evaluation(tmp_path / "run")) == ["toy-warm"]


def test_the_example_of_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_evaluation([dataclasses.replace(THREE, task="cats")], "output/weather", "test", 1)
    _, block = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "results.md").read_text(encoding="utf-8"), re.S)
    exec(block, {})
    assert "cats ('cat', '[dog]'" in capsys.readouterr().out
    assert (tmp_path / "cats.pdf").is_file()


def test_without_matplotlib_the_tables_are_shown_and_the_extra_is_named(toy_tasks, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    options = ["OPTIM.MAX_EPOCH", "1", "TEST.PER_CLASS_RESULT", "True"]
    words = ["--dataset", "toy-warm", "--shots", "1", "--seed", "1", "--quiet", "--output-dir", str(tmp_path / "run")]
    assert cli.main(["train", "--config-file", "MVLPT-CoOp/embedded", *words, *options]) == 0
    shown = capsys.readouterr().out
    assert "accuracy of each class" in shown
    assert shown.count("mvlpt[report]") == 1


def test_the_tables_can_be_drawn():
    for sheet in (classes_sheet(THREE), confusion_sheet(THREE)):
        for part in sheet.parts(60):
            assert rich_table(part).row_count
