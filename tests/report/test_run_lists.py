"""Runs in folders: found, listed, and removed where they are of no use."""

import json
import os
import time

import pytest
from support.run_folders import entries, run_folder

from mvlpt.cli import main
from mvlpt.errors import ConfigError
from mvlpt.io import file_lock
from mvlpt.report.runs import RunFilter, find_runs, read_run, run_records, runs_sheet, sort_runs, useless_runs


@pytest.fixture
def output(tmp_path):
    run_folder(tmp_path / "lr1", {"cats": 50, "dogs": 60}, OPTIM__LR=0.1)
    run_folder(tmp_path / "lr2", {"cats": 70, "dogs": 60}, OPTIM__LR=0.2)
    run_folder(tmp_path / "deep" / "er", {"cats": 10}, TRAINER__NAME="MVLPT-CoOp", shots=-1)
    run_folder(tmp_path / "bad", {}, state="failed")
    run_folder(tmp_path / "cut", {}, state="running", OPTIM__LR=0.3)
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "run.json").write_text('{"format": 1}')
    (tmp_path / "link").symlink_to(tmp_path / "deep")
    return tmp_path


def test_what_folders_say(output):
    runs = {os.path.relpath(run.folder, output): run for run in find_runs(output)}
    assert list(runs) == ["bad", "cut", "deep/er", "lr1", "lr2", "strange"]
    states = {name: run.state for name, run in runs.items()}
    assert states == {
        "bad": "failed", "cut": "killed", "deep/er": "finished", "lr1": "finished", "lr2": "finished",
        "strange": "damaged",
    }  # fmt: skip
    assert runs["lr2"].score == 65
    assert runs["lr1"].option("OPTIM.LR") == 0.1
    assert (runs["lr1"].trainer, runs["lr1"].tasks, runs["lr1"].arm) == ("MVLPT-VPT", ("cats", "dogs"), "single")
    assert runs["lr1"].size == sum(path.stat().st_size for path in (output / "lr1").iterdir())
    assert runs["bad"].score is None
    with file_lock(output / "cut"):
        assert read_run(output / "cut").state == "running"


def test_options_of_older_folders_come_from_their_configuration(output):
    before = read_run(output / "lr2")
    content = json.loads((output / "lr2" / "run.json").read_text())
    del content["options"]
    (output / "lr2" / "run.json").write_text(json.dumps(content))
    assert read_run(output / "lr2").options == before.options


def test_the_table_shows_options_that_differ_within_a_trainer(output):
    sheet = runs_sheet(sort_runs(find_runs(output), "score"), output)
    assert "6 runs" in sheet.title
    assert "3 finished, 1 killed, 1 failed, 1 damaged" in sheet.title
    rows = {row[0].text: [entry.text for entry in row] for row in sheet.rows}
    assert list(rows)[:3] == ["lr2", "lr1", "deep/er"]
    assert rows["lr2"][-1] == "OPTIM.LR 0.2"
    assert rows["deep/er"][-1] == ""
    assert rows["deep/er"][6] == "all"
    assert rows["lr1"][5] == "cats and 1 more"


def test_tasks_given_by_their_paths_are_listed_and_found_by_name(tmp_path, capsys):
    paths = "/data/photos/birds,/data/signs.yaml"
    run_folder(tmp_path / "done", {"birds": 50, "road signs": 60}, DATASET__DATASET=paths)
    run_folder(tmp_path / "cut", {}, state="running", DATASET__DATASET=paths)
    sheet = runs_sheet(find_runs(tmp_path), tmp_path)
    assert {row[0].text: row[5].text for row in sheet.rows} == {"cut": "birds and 1 more", "done": "birds and 1 more"}
    assert read_run(tmp_path / "done").task_names == ("birds", "road signs")
    for task, folders in (
        ("birds", ["cut", "done"]),
        ("road signs", ["done"]),
        ("/data/photos/birds/", ["cut", "done"]),
    ):
        assert main(["runs", str(tmp_path), "--task", task, "--json"]) == 0
        assert [run["folder"] for run in json.loads(capsys.readouterr().out)] == [
            str(tmp_path / name) for name in folders
        ]


def test_where_no_option_differs_there_is_no_column_of_options(tmp_path):
    run_folder(tmp_path / "a", {"cats": 50}, seed=1)
    run_folder(tmp_path / "b", {"cats": 60}, seed=2)
    assert runs_sheet(find_runs(tmp_path), tmp_path).columns[-1].lines == ("size",)


def test_filters_and_orders(output, capsys):
    assert main(["runs", str(output), "--where", "optim.lr=0.20", "--json"]) == 0
    (only,) = json.loads(capsys.readouterr().out)
    assert (only["folder"], only["score"], only["scores"]) == (str(output / "lr2"), 65, {"cats": 70, "dogs": 60})
    run_folder(output / "odd", {"a\x7f\x85": 1})
    assert main(["runs", str(output / "odd"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["scores"] == {"a\x7f\x85": 1}
    assert main(["runs", str(output), "--trainer", "MVLPT-CoOp", "--format", "markdown"]) == 0
    assert "| deep/er | finished | 10.0 |" in capsys.readouterr().out
    assert main(["runs", str(output), "--state", "interrupted"]) == 0
    assert "fits; 7 do not" in capsys.readouterr().out
    assert main(["runs", str(output / "nowhere")]) == 2
    assert "No folder" in capsys.readouterr().err
    assert main(["runs", str(output), "--where", "LR=3"]) == 2
    assert "no option is named LR" in capsys.readouterr().err
    assert main(["runs", str(output), "--where", "OPTIM.LRR=3"]) == 0
    assert "OPTIM.LRR, unless a plugin has one; did you mean 'OPTIM.LR'?\n" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="did you mean 'score'"):
        sort_runs([], "scroe")
    assert RunFilter.of(tasks=["dogs"]).takes(read_run(output / "lr1"))


def test_thousands_of_folders_are_fast(output):
    text = (output / "lr1" / "run.json").read_text()
    for number in range(1000):
        (output / "many" / str(number)).mkdir(parents=True)
        (output / "many" / str(number) / "run.json").write_text(text)
    start = time.process_time()
    assert len(run_records(find_runs(output))) == 1006
    assert time.process_time() - start < 8


def ctrl_d(question):
    raise EOFError


def test_failed_and_superseded_runs_are_removed_after_they_were_shown(output, capsys, monkeypatch):
    run_folder(output / "again", {"cats": 50, "dogs": 60}, OPTIM__LR=0.1, updated="2026-02-02T00:00:00+00:00")
    before = entries(output)
    assert main(["clean", str(output), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "failed: DataError: broken" in shown
    words = ["is", "the", "same", "run,", "finished", "later"]
    assert set(words) <= set(shown.split())  # a long folder's name may break the line anywhere
    assert entries(output) == before
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert main(["clean", str(output)]) == 2
    assert "add --yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer in (lambda question: "n", ctrl_d):
        monkeypatch.setattr("builtins.input", answer)
        assert main(["clean", str(output)]) == 0
        assert entries(output) == before
    freed = sum(p.stat().st_size for name in ("bad", "lr1") for p in (output / name).iterdir())
    assert main(["clean", str(output), "--yes"]) == 0
    assert f"Removed 2 runs: {freed / 1000:.1f} kB ({freed:,} bytes)" in capsys.readouterr().out
    assert sorted(path.name for path in output.iterdir()) == ["again", "cut", "deep", "link", "lr2", "strange"]
    assert main(["clean", str(output), "--yes"]) == 0
    assert "Nothing to remove" in capsys.readouterr().out


def test_what_is_in_use_or_not_ours_is_left_alone(output, capsys):
    held = run_folder(output / "held", {}, state="failed")
    mixed = run_folder(output / "mixed", {}, state="failed")
    (mixed / "notes.txt").write_text("mine")
    outer = run_folder(output / "outer", {}, state="failed")
    run_folder(outer / "inner", {"cats": 1})
    source = run_folder(output / "source", {}, state="failed")
    run_folder(output / "user", {"cats": 1}, RUN__INIT_FROM=str(source))
    prompt = run_folder(output / "file", {}, state="failed") / "prompt.safetensors"
    run_folder(output / "user2", {"cats": 1}, RUN__INIT_FROM=str(prompt))
    outside = output.parent / "outside.txt"
    outside.write_text("precious")
    (output / "bad" / "link.json").symlink_to(outside)
    (output / "bad" / "samples").symlink_to(output / "deep")
    why = {removal.run.folder.name: removal.kept for removal in useless_runs(find_runs(output))}
    assert why == {
        "bad": "it holds samples, which no run writes",
        "file": f"{output / 'user2'} starts from its prompt",
        "held": "",
        "mixed": "it holds notes.txt, which no run writes",
        "outer": "other runs lie below its folder",
        "source": f"{output / 'user'} starts from its prompt",
    }
    (output / "bad" / "samples").unlink()
    with file_lock(held):
        assert main(["clean", str(output), "--yes"]) == 1
    shown = capsys.readouterr().out
    assert "held was left alone: a process holds it" in shown
    assert "Removed 1 run:" in shown
    assert not (output / "bad").exists()
    assert outside.read_text() == "precious"
    assert all((output / name / "run.json").exists() for name in ("held", "mixed", "outer", "source", "deep/er"))


def test_runs_of_an_experiment_are_not_superseded(tmp_path):
    for name in ("one", "two"):
        run_folder(tmp_path / name / "runs" / "a", {"cats": 1})
        (tmp_path / name / "plan.json").write_text("{}")
    assert useless_runs(find_runs(tmp_path)) == []
    (tmp_path / "two" / "plan.json").unlink()
    assert len(useless_runs(find_runs(tmp_path))) == 0  # the one outside finished last
