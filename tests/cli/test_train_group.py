"""Training a group of a groups file, and the folder of a run that names none."""

import pytest
from support.photos import write_photos

from mvlpt.cli import main
from mvlpt.engine import read_results

TRAIN = ["train", "--config-file", "configs/trainers/MVLPT-CoOp/embedded.yaml", "--shots", "1", "--quiet"]
QUICK = ["OPTIM.MAX_EPOCH", "1", "RUN.TENSORBOARD", "False"]
HEAD = "format: mvlpt-groups\nversion: 1\ngroups:\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_group_is_trained_without_copying_names(here, capsys):
    (here / "g.yaml").write_text(HEAD + "  g1: [weather-plain, tools-dark]\n  alone: [power-dark]\n")
    words = [*TRAIN, "--groups", "g.yaml", "--group", "g1", "--seed", "1", "--output-dir", "out", *QUICK]
    assert main(words) == 0
    rows = read_results(here / "out" / "results.jsonl")
    assert {(row["task"], row["arm"], row["group"]) for row in rows} == {
        ("weather-plain", "grouped", "g1"),
        ("tools-dark", "grouped", "g1"),
    }


def test_a_group_of_folders_is_found_by_its_groups_file(here, capsys):
    for name in ("a", "b", "c,d"):
        write_photos(here / "pictures" / name, ("red", "blue") if name == "b" else ("red", "blue", "green"))
    tasks = "pictures/a/,pictures/b/,pictures/c,d/"
    grouping = ["group", "--dataset", tasks, "--shots", "1", "--groups", "1", "--no-pictures", "--quiet"]
    assert main([*grouping, "--output-dir", "graph"]) == 0
    assert "paths:" in (here / "graph" / "groups.yaml").read_text()
    assert main([*TRAIN, "--groups", "graph/groups.yaml", "--seed", "1", "--output-dir", "out", *QUICK]) == 0
    rows = read_results(here / "out" / "results.jsonl")
    assert {row["task"] for row in rows} == {"a", "b", "c d"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--groups", "g.yaml"], "holds 2 groups; name one with --group (g1: weather-plain; g2: power-dark)"),
        (["--groups", "g.yaml", "--group", "g9"], "g.yaml has no group 'g9'; it has g1, g2"),
        (["--group", "g1"], "--group names a group of a groups file; name that, too"),
        (["--groups", "g.yaml", "--group", "g1", "--dataset", "tools-dark"], "does not name 'weather-plain' of group"),
        (["--groups", "none.yaml"], "No groups at none.yaml"),
    ],
)
def test_mistakes(here, capsys, words, expected):
    (here / "g.yaml").write_text(HEAD + "  g1: [weather-plain]\n  g2: [power-dark]\n")
    assert main([*TRAIN, "--seed", "1", *words]) == 2
    assert expected in capsys.readouterr().err


def test_a_run_without_a_folder_gets_one_of_its_own(here, capsys):
    write_photos(here / "birds")
    train = [*TRAIN, "--dataset", "birds/", "--seed", "3"]
    assert main([*train, *QUICK]) == 0
    folder = here / "output" / "MVLPT-CoOp" / "birds" / "1shot" / "seed3"
    assert (folder / "run.json").is_file()
    assert main([*train, "--resume", *QUICK]) == 0
    assert "holds this run, finished" in capsys.readouterr().out
    assert main([*train, "--eval-only", "--model-dir", str(folder), *QUICK]) == 0
    assert (folder.parent / "seed3-evaluated" / "run.json").is_file()
    assert sorted(path.name for path in (here / "output").iterdir()) == ["MVLPT-CoOp"]


def test_resuming_without_a_name_for_the_folder_or_a_seed_is_refused(here, capsys):
    assert main([*TRAIN, "--dataset", "weather-plain", "--resume"]) == 2
    assert "--resume goes on with the run of a folder; name it: --resume DIR" in capsys.readouterr().err


def test_a_run_in_the_former_default_folder_goes_on_there(here, capsys):
    train = [*TRAIN, "--dataset", "weather-plain", "--seed", "1"]
    assert main([*train, *QUICK, "OUTPUT_DIR", "./output"]) == 0
    assert main([*train, "--resume", *QUICK]) == 0
    assert "output holds this run, finished" in capsys.readouterr().out
