"""Sections of the page on chosen prompts: who trains with whom, what is adapted, what a choice rests on."""

from types import SimpleNamespace

import numpy as np

from mvlpt.graph import Grouping
from mvlpt.graph.choice import Candidate, Choice, choose_candidates
from mvlpt.report.page.groupings import GroupingView
from mvlpt.report.page.runs import Run
from mvlpt.report.page.sections import choices, groups, missing

TASKS = ("cats", "dogs", "ships")


def content(**fields):
    known = {"choices": [], "groupings": [], "runs": [], "plan": None, "states": {}, "table": None, "evaluations": {}}
    return SimpleNamespace(**{**known, **fields}, attempt=lambda function: function(), rows_of=lambda run: [])


def test_groups_that_overlap_say_who_trains_together_and_what_is_adapted():
    serves = {"cats": "g1", "dogs": "g1", "ships": "g2"}
    grouping = Grouping((TASKS, ("ships",)), "choose", settings={"adapted": ["cats", "dogs"]}, serves=serves)
    view = GroupingView("groups", grouping, {"g1": ("cats", "dogs"), "g2": ("ships",)}, TASKS, None, "", False, {})
    [shown] = groups.build(content(groupings=[view])).values["views"]
    assert shown["groups"] == {
        "g1": "cats, dogs; trained together with ships; then adapted to each",
        "g2": "ships",
    }


def test_a_prompt_that_is_only_adapted_further_is_not_missing(tmp_path):
    untested = Run(tmp_path / "source", "source", tested=False)
    assert missing.build(content(runs=[untested])) is None
    section = missing.build(content(runs=[untested, Run(tmp_path / "single", "single")]))
    assert section.values["absent"] == ["single"]


def test_a_choice_says_what_it_rests_on():
    single = Candidate("single", tuple((task,) for task in TASKS))
    candidates = (single, Candidate("all", (TASKS,)))
    scores, errors = np.array([[50.0] * 3, [70.0] * 3]), np.ones((2, 3))

    def shown(runs, scores):
        made = choose_candidates(candidates, TASKS, [[50.0] * 3, [70.0] * 3], errors)
        choice = Choice(TASKS, candidates, scores, errors, made, {"runs": runs})
        return choices.build(content(choices=[("choice", choice)])).values

    trained = shown(4, scores)
    assert "were left out" in trained["intro"]
    [first, second] = trained["tables"]
    assert [row[1].text for row in first.rows] == ["all"] * 3
    assert [cell.mark for row in second.rows for cell in row if cell.best] == ["chosen"] * 3
    known = shown(0, np.full((2, 3), np.nan))
    assert "nothing was trained" in known["intro"]
    assert len(known["tables"]) == 1
