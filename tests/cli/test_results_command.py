"""``mvlpt results`` as a person uses it: from the folders of runs to tables on the screen and in files."""

import csv
import io
import json

import pytest
from support.scores import row, write_run, zero_shot

from mvlpt.cli import main
from mvlpt.experiment import SOURCE_FILE


@pytest.fixture
def root(tmp_path):
    """Three runs below one folder, with room for more."""
    folder = tmp_path / "my output"
    write_run(folder / "zero", [zero_shot("cats", 40), zero_shot("dogs", 50)])
    write_run(folder / "VPT" / "cats", [row("cats", 45.5), row("cats", 99, split="val")])
    write_run(folder / "VPT" / "dogs", [row("dogs", 56.5)])
    write_run(folder / "VPT" / "all", [row("cats", 47, arm="all"), row("dogs", 55, arm="all")])
    return folder


def results(*words):
    return main(["results", *map(str, words)])


def test_tables_of_all_runs_below_a_folder(root, capsys):
    assert results(root) == 0
    shown = capsys.readouterr().out
    assert "Test score % (accuracy), 1-shot" in shown
    assert "51.0" in shown  # single-task: of 45.5 and 56.5
    assert "+6.0" in shown  # over zero-shot
    assert "Wilcoxon" in shown
    assert "- All tests rest on few tasks that differ: with 2 p is at least 0.5" in shown
    assert "\x1b" not in shown


def test_formats_and_files(root, tmp_path, capsys):
    assert results(root, "--format", "csv", "--table", "summary") == 0
    by_arm = {line["arm"]: line for line in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert float(by_arm["all"]["gain_over_single"]) == 0
    assert results(root, "--format", "json", "--arm", "all") == 0
    assert {line["arm"] for line in json.loads(capsys.readouterr().out)["scores"]} == {"all"}
    for name, inside in {
        "t.md": "| cats |",
        "t.tex": r"\toprule",
        "t.txt": "┃",
        "t.csv": "task,",
        "t.json": "{",
    }.items():
        assert results(root, "--out", tmp_path / "new" / name) == 0
        assert inside in (tmp_path / "new" / name).read_text()
        assert "3 methods on 2 tasks" in capsys.readouterr().out


def test_a_single_file_is_enough(root, capsys):
    assert results(root / "VPT" / "all" / "results.jsonl", root / "zero") == 0
    assert "all-together" in capsys.readouterr().out


def test_groups_of_tasks(root, tmp_path, capsys):
    groups = tmp_path / "groups.yaml"
    groups.write_text("format: mvlpt-groups\nversion: 1\ngroups: {pets: [cats], hounds: [dogs]}\n")
    assert results(root, "--groups", groups, "--format", "csv", "--table", "summary") == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(line["mean_pets"]) for line in lines] == [40, 45.5, 47]
    assert list(lines[0])[-2:] == ["mean_pets", "mean_hounds"]


def test_collecting(root, capsys):
    assert results(root, "--collect") == 0
    assert "7 results" in capsys.readouterr().out
    collected = (root / "results.jsonl").read_text()
    assert len(collected.splitlines()) == 7
    assert SOURCE_FILE not in collected
    assert results(root, "--collect") == 0
    assert (root / "results.jsonl").read_text() == collected
    # The collection may be behind its runs: it is not read together with them, but serves where they are gone.
    write_run(root / "VPT" / "all", [row("cats", 48, arm="all"), row("dogs", 55, arm="all")])
    assert results(root, "--format", "csv", "--table", "summary") == 0
    assert "51.5" in capsys.readouterr().out
    assert results(root / "results.jsonl") == 0
    assert sorted(path.name for path in root.iterdir()) == ["VPT", "results.jsonl", "zero"]


def test_a_run_keeps_its_own_results(root, capsys):
    file = root / "VPT" / "all" / "results.jsonl"
    before = file.read_text()
    assert results(file.parent, "--collect") == 2
    assert "is the folder of one run" in capsys.readouterr().err
    assert file.read_text() == before


MISTAKES = {
    "no folder": (["nowhere"], "No folder of runs and no results file at nowhere"),
    "no runs": (["empty"], "No results.jsonl in or below empty; has a run of it finished?"),
    "trainer": ([".", "--trainer", "MVLPT-VTP"], "did you mean 'MVLPT-VPT'?"),
    "twice": ([".", "--compare", "single", "MVLPT-VPT/single"], "are one method, MVLPT-VPT single-task"),
    "json": ([".", "--format", "json", "--table", "tests"], "--format json holds all tables"),
    "compare": ([".", "--compare", "single", "grouped"], "No method of the results fits 'grouped'"),
    "ending": ([".", "--out", "t.doc"], "--out t.doc does not end in .md, .csv, .tex"),
    "csv of two": ([".", "--format", "csv", "--table", "scores", "tests"], "--format csv holds one table, not 2"),
    "digits": ([".", "--digits", "9"], "--digits is 9; it takes 0 to 6"),
    "groups": ([".", "--groups", "none.yaml"], "none.yaml"),
    "collect": ([".", "--collect", "--out", "t.md"], "--collect writes PATH/results.jsonl and takes neither"),
    "collect into a file": (["a.jsonl", "--collect"], "a.jsonl is a file; name the folder"),
    "contradiction": (["."], "has two values: 47 (VPT/again/results.jsonl, run other) and 48 (VPT/twice/results.jsonl"),
    "cut file": (["."], "VPT/cut/results.jsonl, line 1 is not readable JSON"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_are_one_sentence_with_status_2(root, monkeypatch, capsys, kind):
    words, expected = MISTAKES[kind]
    monkeypatch.chdir(root)
    (root / "empty").mkdir()
    (root / "a.jsonl").touch()
    if kind == "contradiction":
        write_run(root / "VPT" / "again", [row("birds", 47, run="other")])
        write_run(root / "VPT" / "twice", [row("birds", 48)])
    if kind == "cut file":
        write_run(root / "VPT" / "cut", []).write_text('{"run": "x", "tra')
    assert results(*words) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    assert expected in said
    assert "\n" not in said
