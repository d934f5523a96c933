"""The dot plot of arms: what it shows, that equal scores give equal bytes, and what is refused."""

import json

import pytest

from mvlpt.cli import main
from mvlpt.errors import ConfigError
from mvlpt.report.results import results_table, save_arms_figure
from mvlpt.report.results.arms_figure import arm_panels

TASKS = {"cats-plain": "plain", "cups-plain": "plain", "cats-dark": "dark"}


def rows(trainers=("MVLPT-VPT", "MVLPT-CoOp")):
    key = {"metric": "accuracy", "higher_is_better": True, "split": "test", "epoch": 1, "n": 10, "run": "r"}
    for i, task in enumerate(TASKS):
        zero = {"trainer": "ZeroshotCLIP", "arm": "zero_shot", "group": "", "shots": 0, "seed": 0}
        yield {**key, **zero, "task": task, "value": 40.0 + i}
        for trainer in trainers:
            for j, (arm, group) in enumerate((("single", ""), ("grouped", "g1"), ("adapted", "grouped"))):
                for seed in (1, 2):
                    more = {"trainer": trainer, "arm": arm, "group": group, "shots": 1, "seed": seed}
                    yield {**key, **more, "task": task, "value": 50.0 + i + 3 * j + seed}


def test_panels_hold_every_trained_arm():
    panels = arm_panels(results_table(rows(), groups=TASKS))
    assert list(panels) == ["MVLPT-CoOp, 1-shot", "MVLPT-VPT, 1-shot"]
    assert [one.method.arm for one in panels["MVLPT-VPT, 1-shot"]] == ["single", "grouped", "adapted"]


@pytest.mark.parametrize("name", ["arms.png", "arms.svg"])
def test_equal_scores_give_equal_bytes(tmp_path, name):
    table = results_table(rows(), groups=TASKS)
    first, second = (save_arms_figure(table, tmp_path / folder / name).read_bytes() for folder in ("a", "b"))
    assert first == second
    assert len(first) > 5000
    if name.endswith("svg"):
        assert b"<svg" in first


def test_one_trainer_without_groups_or_zero_shot(tmp_path):
    few = [row for row in rows(("MVLPT-VPT",)) if row["arm"] != "zero_shot"]
    assert save_arms_figure(results_table(few), tmp_path / "arms.png").stat().st_size > 2000


def test_every_arm_has_a_name_of_its_own_and_every_group_a_mark(tmp_path):
    """Also with names that look like mathematics, and with more groups than colours."""
    one = next(row for row in rows(("$x$",)) if row["arm"] == "single")
    every = [
        {**one, "shots": -1, "arm": "transfer", "group": source, "task": f"t{n}"} for source in "ab" for n in range(30)
    ]
    table = results_table(every, groups={f"t{n}": f"group$\\frac{n}" for n in range(30)})
    drawn = save_arms_figure(table, tmp_path / "arms.svg").read_text()
    for shown in ("$x$, all images", "transfer a", "transfer b", "all tasks", *(f"group$\\frac{n}" for n in range(30))):
        assert f"<!-- {shown} -->" in drawn


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"ends in \.png, \.svg or \.pdf"):
        save_arms_figure(results_table(rows()), tmp_path / "arms.gif")
    with pytest.raises(ConfigError, match="nothing to draw"):
        save_arms_figure(results_table([row for row in rows() if row["arm"] == "zero_shot"]), tmp_path / "arms.png")


def test_the_command_draws_it(tmp_path, capsys):
    file = tmp_path / "results.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    assert main(["results", str(file), "--picture", str(tmp_path / "x" / "arms.png")]) == 0
    assert (tmp_path / "x" / "arms.png").exists()
    assert main(["results", str(file), "--picture", "arms.gif"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
