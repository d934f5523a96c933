"""``mvlpt config``: options are found, explained and compared, and the reference page is up to date."""

import json
from pathlib import Path

import pytest

from mvlpt.cli import main
from mvlpt.config import OPTIONS, get_cfg_default

ROOT = Path(__file__).resolve().parents[2]


def run(capsys, *words):
    status = main(["config", *words])
    out, err = capsys.readouterr()
    return status, out, err


def test_a_section_is_listed_with_defaults(capsys):
    status, out, _ = run(capsys, "list", "OPTIM", "--format", "json")
    assert status == 0
    listed = {record["key"]: record for record in json.loads(out)}
    assert list(listed) == [key for key in OPTIONS if key.startswith("OPTIM.")]
    assert listed["OPTIM.LR"]["default"] == 0.0003
    assert "sgd" in listed["OPTIM.NAME"]["choices"]


def test_a_word_finds_options_by_their_meaning(capsys):
    _, out, _ = run(capsys, "list", "unreadable image", "--format", "markdown")
    assert "DATASET.ON\\_BAD\\_IMAGE" in out
    assert len(out.splitlines()) == 3


def test_options_are_explained_in_any_case(capsys):
    status, out, _ = run(capsys, "explain", "test.final_model", "DATALOADER.NUM_WORKERS")
    assert status == 0
    assert "last_step, best_val" in out
    assert "at least 0" in out
    assert "do not depend on it" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("explain", "OPTIM.LERNING_RATE"), "did you mean"),
        (("explain", "OPTIM"), "is a section"),
        (("list", "nonsense"), "No option has 'nonsense'"),
        (("diff", "absent.yaml"), "absent.yaml"),
    ],
)
def test_what_is_not_there_is_one_sentence(capsys, words, expected):
    status, out, err = run(capsys, *words)
    assert (status, out) == (2, "")
    assert expected in err
    assert len(err.splitlines()) == 1


def test_two_configurations_are_compared(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = get_cfg_default()
    cfg.merge_from_list(["OPTIM.LR", "0.5", "DATALOADER.NUM_WORKERS", "0"])
    Path("run").mkdir()
    Path("run/config.yaml").write_text(cfg.dump())
    Path("b.yaml").write_text("OPTIM: {LR: 1e-1}\nOWN: {KEY: 3}\n")
    _, out, _ = run(capsys, "diff", "run", "b.yaml")
    lines = [line.replace("│", "").split() for line in out.splitlines() if "│" in line]
    rows = {words[0]: words for words in lines}
    assert rows["OPTIM.LR"] == ["OPTIM.LR", "0.5", "0.1", "may", "differ"]
    assert rows["DATALOADER.NUM_WORKERS"][-2:] == ["the", "same"]
    assert rows["OWN.KEY"][1:3] == ["unset", "3"]
    assert len(rows) == 3
    assert run(capsys, "diff", "run", "run")[1] == "no option differs\n"


def test_the_reference_page_is_up_to_date(capsys):
    assert run(capsys, "list", "--format", "page")[1] == (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
