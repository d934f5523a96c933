"""The example and the tables of docs/graph.md."""

import importlib
import itertools
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mvlpt.graph import SIMILARITIES, TaskGraph
from mvlpt.graph.similarity.derived import DERIVED
from mvlpt.graph.similarity.registry import ALIASES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "graph.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    space = {}
    exec(block, space)
    assert capsys.readouterr().out.startswith("(('cats', 'dogs'), ('planes', 'ships'))\n")
    best = min(
        (sum(least.values()), chosen)
        for count in range(1, 6)
        for chosen in itertools.combinations(range(5), count)
        if sum(space["hours"][i] for i in chosen) <= 6
        and len(
            least := {
                task: min(space["errors"][i].get(task, math.inf) for i in chosen)
                for i in chosen
                for task in space["sets"][i]
            }
        )
        == 4
    )
    assert (space["choice"].total, sorted(space["choice"].chosen)) == (best[0], list(best[1])) == (25, [1, 2, 4])


def test_the_example_of_a_file_is_one(tmp_path):
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, flags=re.S)
    (tmp_path / "example.json").write_text(block)
    graph = TaskGraph.load(tmp_path / "example.json")
    assert graph.matrix("label")[0, 1] == 0.81
    graph.save(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads(block)


def test_the_page_names_every_similarity_and_alias():
    named = re.findall(r"^\| `((?:visual|label)\.\w+)`", PAGE, flags=re.M)
    assert sorted(named) == sorted([*SIMILARITIES, *DERIVED])
    assert all(f"`{alias}` {'stands ' * (alias == 'visual')}for `{full}`" in PAGE for alias, full in ALIASES.items())


LIGHT = """
import sys
import numpy as np
import mvlpt.graph
assert not {"torch", "scipy", "sklearn", "ot", "PIL", "networkx"} & set(sys.modules)
from mvlpt.graph import combine, fill_one_sided, group_tasks, measured_gains, select_groups
group_tasks(np.eye(30), method="auto")
select_groups([["a"]], [{"a": 1.0}])
assert "torch" not in sys.modules
"""


def test_arrays_are_grouped_without_loading_torch():
    subprocess.run([sys.executable, "-c", LIGHT], check=True)


@pytest.mark.parametrize("name", ["", ".embeddings", ".similarity", ".affinity", ".grouping"])
def test_everything_that_is_exported_is_there(name):
    package = importlib.import_module(f"mvlpt.graph{name}")
    for exported in package.__all__:
        assert getattr(package, exported).__class__.__name__ != "module", exported
