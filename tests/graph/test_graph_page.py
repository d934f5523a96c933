"""The example and the tables of docs/graph.md."""

import itertools
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import mvlpt.graph
from mvlpt.graph import SIMILARITIES, TaskGraph
from mvlpt.graph.similarity.combine import ALIASES

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
    assert named == list(SIMILARITIES)
    assert all(f"`{alias}` {'stands ' * (alias == 'visual')}for `{full}`" in PAGE for alias, full in ALIASES.items())


def test_importing_the_package_is_light():
    code = "import sys, mvlpt.graph; print([m for m in ('torch', 'scipy', 'sklearn', 'ot', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_everything_that_is_exported_is_there():
    assert set(mvlpt.graph.__all__) <= set(dir(mvlpt.graph))
    for name in mvlpt.graph.__all__:
        assert getattr(mvlpt.graph, name).__class__.__name__ != "module", name
