"""The pure functions of the chooser: candidates, estimates, the rule, prompts under a budget, the file."""

import itertools
import json
import math

import numpy as np
import pytest

from mvlpt.errors import GraphError
from mvlpt.graph.choice import (
    Candidate,
    Choice,
    Estimates,
    Prior,
    PromptSource,
    choose_candidates,
    choose_prompts,
    estimate_scores,
    expected_gains,
    folds_within,
    pooled_difference,
    propose_candidates,
    read_choice,
    write_choice,
)

TASKS = ("a", "b", "c", "d")
SINGLE = Candidate("single", tuple((task,) for task in TASKS))
ALL = Candidate("all", (TASKS,))
PAIRS = Candidate("look-2", (("a", "b"), ("c", "d")))
ADAPTED = Candidate("adapted-look-2", PAIRS.groups, adapted=True)
CANDIDATES = (SINGLE, ALL, PAIRS, ADAPTED)
PLANTED = np.array([[1, 0.9, 0.1, 0.1], [0.9, 1, 0.1, 0.1], [0.1, 0.1, 1, 0.8], [0.1, 0.1, 0.8, 1]])


def chosen(scores, errors, candidates=CANDIDATES, **options):
    return {
        one.task: one.candidate
        for one in choose_candidates(candidates, TASKS[: len(scores[0])], scores, errors, **options)
    }


def test_candidates_hold_planted_groups_and_each_partition_once():
    found = propose_candidates(TASKS, {"look": PLANTED, "same": PLANTED}, counts=(2, 3))
    assert [one.name for one in found[:5]] == ["single", "all", "adapted-all", "look-2", "adapted-look-2"]
    assert found[3].groups == (("a", "b"), ("c", "d"))
    partitions = [(one.groups, one.adapted) for one in found]
    assert len(set(partitions)) == len(partitions)
    assert {one.name for one in found if one.adapted} == {"adapted-all", "adapted-look-2", "adapted-look-3"}


def test_given_partitions_are_candidates_of_their_own():
    crossed = (("a", "c"), ("d", "b"))
    found = propose_candidates(TASKS, {"look": PLANTED}, partitions={"classes": iter(crossed), "same": PAIRS.groups})
    names = [one.name for one in found]
    assert names[3:7] == [
        "look-2",
        "adapted-look-2",
        "classes-2",
        "adapted-classes-2",
    ]  # before other numbers of groups
    assert not any(name.endswith("same-2") for name in names)  # look has these
    assert found[5].groups == (("a", "c"), ("b", "d"))
    alone = propose_candidates(TASKS, partitions={"classes": SINGLE.groups})
    assert [one.name for one in alone] == ["single", "all", "adapted-all"]


def test_candidates_do_not_depend_on_the_order_of_tasks():
    order = [2, 0, 3, 1]
    names = [TASKS[i] for i in order]
    assert propose_candidates(names, {"look": PLANTED[np.ix_(order, order)]}) == propose_candidates(
        TASKS, {"look": PLANTED}
    )


def test_a_number_of_groups_that_the_objective_prefers_is_not_tried_again():
    """A heuristic may give another partition for it: two candidates of one name."""
    noise, tasks = np.random.default_rng(31).normal(size=(7, 7)), tuple("abcdefg")
    found = propose_candidates(tasks, {"look": noise + noise.T}, counts=(3,), adapted=False, method="louvain")
    assert [one.name for one in found] == ["single", "all", "look-3"]


def test_one_task_has_one_candidate():
    assert [one.name for one in propose_candidates(["a"])] == ["single"]


def test_the_prompt_of_one_task_is_not_adapted_to_itself():
    split = Candidate("adapted-x", (("a",), ("b", "c")), adapted=True)
    assert split.source_of("a") == PromptSource(("a",)) == Candidate("s", (("a",), ("b",))).source_of("a")
    assert split.source_of("b") == PromptSource(("c", "b"), adapted=True)


def test_scores_are_proportions_over_folds_and_nan_where_nothing_was_shown():
    scores, errors = estimate_scores([[[3, 2], [0, 0]]], [[[4, 4], [0, 0]]])
    assert scores[0, 0] == 62.5
    assert math.isnan(scores[0, 1])
    assert math.isnan(errors[0, 1])
    assert errors[0, 0] == pytest.approx(100 * math.sqrt(0.6 * 0.4 / 8))
    sure = estimate_scores([[[4]]], [[[4]]]).errors
    assert sure[0, 0] > 0  # four right answers are not certainty


def test_pooled_difference_is_the_posterior_of_a_normal_model():
    """Against the closed form of each task's posterior, by integration over a grid of the common mean."""
    rng = np.random.default_rng(0)
    first = Estimates(rng.normal(50, 8, 6), rng.uniform(2, 4, 6))
    second = Estimates(rng.normal(45, 8, 6), rng.uniform(2, 4, 6))
    gap, variance = first.scores - second.scores, first.errors**2 + second.errors**2
    weight = 1 / variance
    scatter = (weight * (gap - (weight * gap).sum() / weight.sum()) ** 2).sum()
    between = max(0, (scatter - 5) / (weight.sum() - (weight**2).sum() / weight.sum()))
    grid = np.linspace(-60, 60, 20001)
    log = sum(-((gap[t] - grid) ** 2) / (2 * (variance[t] + between)) for t in range(6))
    belief = np.exp(log - log.max())
    belief /= belief.sum()
    for task in range(6):
        own = between / (between + variance[task])
        means = grid + own * (gap[task] - grid)
        mean = (belief * means).sum()
        spread = (belief * (means - mean) ** 2).sum() + own * variance[task]
        found = pooled_difference(first, second)
        assert found.scores[task] == pytest.approx(mean, abs=1e-3)
        assert found.errors[task] == pytest.approx(math.sqrt(spread), abs=1e-3)


def test_equal_differences_are_pooled_and_unmeasured_tasks_take_the_mean():
    first = Estimates(np.array([60.0, 60.0, np.nan]), np.array([5.0, 5.0, np.nan]))
    second = Estimates(np.full(3, 50.0), np.full(3, 5.0))
    scores, errors = pooled_difference(first, second)
    assert scores == pytest.approx([10, 10, 10])
    assert errors == pytest.approx([5.0] * 3)  # sqrt(50 / 2)


def test_without_any_common_task_nothing_is_known():
    empty = Estimates(np.array([np.nan]), np.array([np.nan]))
    assert np.isnan(pooled_difference(empty, Estimates(np.array([1.0]), np.array([1.0]))).scores).all()


def test_clear_winners_are_chosen_for_each_task():
    scores = [[80, 20, 50, 50], [20, 80, 50, 50], [50, 50, 90, 20], [50, 50, 20, 90]]
    assert chosen(scores, np.full((4, 4), 0.1)) == {"a": "single", "b": "all", "c": "look-2", "d": "adapted-look-2"}


@pytest.mark.parametrize("tolerance", [0.0, 1.0, 2.0])
def test_rule_against_brute_force(tolerance):
    rng = np.random.default_rng(3)
    for _ in range(20):
        scores, errors = rng.normal(50, 5, (4, 4)), rng.uniform(0.5, 5, (4, 4))
        rows = [Estimates(*pair) for pair in zip(scores, errors, strict=True)]
        for column, one in enumerate(choose_candidates(CANDIDATES, TASKS, scores, errors, tolerance=tolerance)):
            gains = [pooled_difference(row, rows[0]).scores[column] for row in rows]
            best = int(np.argmax(gains))
            gaps = [pooled_difference(rows[best], row) for row in rows[: best + 1]]
            near = [i for i in range(best) if gaps[i].scores[column] <= tolerance * gaps[i].errors[column]]
            allowed = [i for i in near if gains[i] == max(gains[: i + 1])]  # no simpler one is better
            assert one.candidate == CANDIDATES[[*allowed, best][0]].name
            assert one.best == CANDIDATES[best].name


def test_ties_go_to_the_simplest():
    assert set(chosen(np.full((4, 4), 50.0), np.zeros((4, 4))).values()) == {"single"}
    assert set(chosen(np.full((4, 4), 50.0), np.full((4, 4), 9.0))) == set(TASKS)


def test_a_candidate_that_leaves_a_task_alone_gains_it_nothing():
    """The gain of those that share is no evidence for it, whether it was measured or is known before."""
    part = Candidate("look-3", (("a", "b"), ("c",), ("d",)))
    scores = np.array([[50.0] * 4, [51.0] * 4, [60.0, 60.0, 50.0, 50.0]])
    found = choose_candidates((SINGLE, ALL, part), TASKS, scores, np.ones((3, 4)))
    assert [one.candidate for one in found[:2]] == ["look-3"] * 2
    assert "look-3" not in {name for one in found[2:] for name in (one.candidate, one.best)}
    unknown, known = np.full((2, 4), np.nan), {"single": Prior(0.0, 0.0), "look-3": Prior(4.0, 1.0)}
    found = choose_candidates((SINGLE, part), TASKS, unknown, unknown, priors=known)
    assert [(one.candidate, one.gain) for one in found] == [("look-3", 4.0)] * 2 + [("single", 0.0)] * 2
    gains = expected_gains((SINGLE, part), TASKS, Estimates(scores[[0, 2]], np.ones((2, 4))))
    assert gains.scores[1] == pytest.approx([10, 10, 0, 0])
    assert list(gains.errors[1, 2:]) == [0, 0]


def test_many_uncertain_tasks_decide_together():
    """No task by itself shows that sharing helps; all of them do."""
    tasks = tuple(f"t{i:02}" for i in range(24))
    candidates = (Candidate("single", tuple((task,) for task in tasks)), Candidate("all", (tasks,)))
    scores, errors = np.array([[50.0] * 24, [56.0] * 24]), np.full((2, 24), 12.0)
    assert {one.candidate for one in choose_candidates(candidates, tasks, scores, errors)} == {"all"}
    alone = choose_candidates(
        (Candidate("single", (("t",), ("u",))), Candidate("all", (("t", "u"),))),
        ("t", "u"),
        scores[:, :2],
        errors[:, :2],
    )
    assert {one.candidate for one in alone} == {"single"}


def test_choice_does_not_depend_on_orders():
    rng = np.random.default_rng(5)
    scores, errors = rng.normal(50, 8, (4, 4)), rng.uniform(1, 3, (4, 4))
    wanted = {one.task: one for one in choose_candidates(CANDIDATES, TASKS, scores, errors)}
    for order in itertools.permutations(range(4)):
        rows = [3, 1, 0, 2]
        found = choose_candidates(
            [CANDIDATES[row] for row in rows],
            [TASKS[column] for column in order],
            scores[np.ix_(rows, order)],
            errors[np.ix_(rows, order)],
        )
        assert {one.task: one for one in found} == wanted


def test_every_reason_is_a_sentence_that_names_the_choice():
    rng = np.random.default_rng(7)
    for one in choose_candidates(CANDIDATES, TASKS, rng.normal(50, 8, (4, 4)), rng.uniform(1, 9, (4, 4))):
        assert one.reason.startswith(one.candidate)
        assert one.reason.endswith(".")


@pytest.mark.parametrize(
    ("candidates", "scores", "message"),
    [
        ((Candidate("x", (("a", "b", "c", "e"),)),), np.zeros((1, 4)), "unknown task 'e'"),
        ((Candidate("x", (("a", "b", "c"),)),), np.zeros((1, 4)), "leaves out the task 'd'"),
        ((Candidate("x", (("a", "b", "c"), ("c", "d"))),), np.zeros((1, 4)), "in two groups"),
        ((SINGLE, SINGLE), np.zeros((2, 4)), "Two candidates"),
        ((), np.zeros((0, 4)), "no candidate"),
        ((SINGLE,), np.zeros((1, 3)), "shape"),
        ((SINGLE,), np.full((1, 4), np.nan), "measured on no task"),
        ((SINGLE,), np.full((1, 4), np.inf), "finite"),
    ],
)
def test_bad_input_is_one_sentence(candidates, scores, message):
    errors = np.where(np.isnan(scores), np.nan, 1.0)
    with pytest.raises(GraphError, match=message):
        choose_candidates(candidates, TASKS, scores, errors)


def test_chosen_prompts_are_those_of_the_choices():
    scores = np.array([[80, 20, 50, 50], [20, 80, 50, 50], [50, 50, 90, 20], [50, 50, 20, 90.0]])
    errors = np.full((4, 4), 0.1)
    choices = choose_candidates(CANDIDATES, TASKS, scores, errors)
    found = choose_prompts(CANDIDATES, choices, scores, errors)
    assert {task: found.sources[task] for task in TASKS} == {one.task: one.source for one in choices}
    assert found.loss == 0
    assert found.adapted == ("d",)
    assert found.grouping.serves == {"a": "g3", "b": "g1", "c": "g2", "d": "g2"}


def test_prompts_under_a_budget_match_brute_force():
    rng = np.random.default_rng(11)
    for _ in range(10):
        scores, errors = rng.normal(50, 10, (4, 4)), np.full((4, 4), 0.5)
        choices = choose_candidates(CANDIDATES, TASKS, scores, errors, tolerance=0)
        rows = [Estimates(*pair) for pair in zip(scores, errors, strict=True)]
        sources = sorted({one.source_of(t) for one in CANDIDATES for t in TASKS}, key=lambda s: (s.adapted, s.tasks))
        names = [one.name for one in CANDIDATES]

        def loss(source, column, choices=choices, rows=rows, names=names):
            if source == choices[column].source:
                return 0.0
            holders = [row for row, one in enumerate(CANDIDATES) if one.source_of(TASKS[column]) == source]
            gaps = [pooled_difference(rows[names.index(choices[column].candidate)], rows[row]) for row in holders]
            return max(0.01, min(gap.scores[column] for gap in gaps))

        best = math.inf
        for count in range(1, 6):
            for some in itertools.combinations(sources, count):
                cost = sum(len(one.tasks) * (2 if one.adapted else 1) for one in some)
                served = [[s for s in some if task in s.tasks] for task in TASKS]
                if cost <= 5 and all(served):
                    best = min(best, sum(min(loss(s, c) for s in ones) for c, ones in enumerate(served)))
        assert choose_prompts(CANDIDATES, choices, scores, errors, budget=5).loss == pytest.approx(best, abs=1e-6)


def test_a_budget_that_serves_not_all_tasks_names_the_smallest():
    scores, errors = np.zeros((4, 4)), np.ones((4, 4))
    choices = choose_candidates(CANDIDATES, TASKS, scores, errors)
    with pytest.raises(GraphError, match="smallest that can is 4"):
        choose_prompts(CANDIDATES, choices, scores, errors, budget=3)


def test_folds_within_a_budget():
    runs = {"single": {"s": 1.0}, "all": {"a": 1.0}, "look-2": {"l": 1.0}, "adapted-look-2": {"l": 1.0, "m": 1.0}}
    assert folds_within(CANDIDATES, runs, 2) == {"single": 1, "all": 1}
    assert folds_within(CANDIDATES, runs, 3) == {"single": 1, "all": 1, "look-2": 1}
    assert folds_within(CANDIDATES, runs, 4) == dict.fromkeys(runs, 1)  # the run l is paid for once
    assert folds_within(CANDIDATES, runs, 5) == {**dict.fromkeys(runs, 1), "single": 2}
    assert folds_within(CANDIDATES, runs, 8) == dict.fromkeys(runs, 2)
    with pytest.raises(GraphError, match="smallest that works is 2"):
        folds_within(CANDIDATES, runs, 1.9)
    with pytest.raises(GraphError, match="above 0"):
        folds_within(CANDIDATES, runs, math.nan)


@pytest.mark.parametrize("price", [1 / 3, 0.14310001, 123.456, 1e-7])
def test_the_smallest_budget_that_is_named_works(price):
    runs = {"single": {"s": price}, "all": {"a": price}}
    with pytest.raises(GraphError) as error:
        folds_within(CANDIDATES[:2], runs, price)
    assert folds_within(CANDIDATES[:2], runs, float(str(error.value).split()[-1])) == {"single": 1, "all": 1}


def made(scores=None):
    scores = np.full((4, 4), 50.0) if scores is None else scores
    errors = np.ones((4, 4))
    return Choice(TASKS, CANDIDATES, scores, errors, choose_candidates(CANDIDATES, TASKS, scores, errors), {"seed": 1})


def test_choice_file_comes_back_and_is_checked(tmp_path):
    choice, file = made(), tmp_path / "choice.json"
    write_choice(choice, file)
    found = read_choice(file, ["d", "c", "b", "a"])
    assert (found.choices, found.candidates) == (choice.choices, choice.candidates)
    assert found.settings == {"seed": 1}
    assert (
        json.loads(file.read_text())["choices"]["a"]["reason"]
        == "single has the highest estimate, and is the simplest."
    )
    with pytest.raises(GraphError, match="about other tasks"):
        read_choice(file, ["a", "b", "c"])
    with pytest.raises(GraphError, match="leaves out 'e'"):
        read_choice(file, [*TASKS, "e"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(format="x"), "not a choice file"),
        (lambda content: content.update(version=9), "version 9"),
        (lambda content: content["choices"].pop("a"), "damaged"),
        (
            lambda content: content["candidates"]["all"]["groups"].append(["x"]),
            "json: Candidate 'all' names the unknown",
        ),
        (lambda content: content["choices"]["a"].update(candidate="singel"), "unknown candidate 'singel'"),
        (lambda content: content["candidates"]["all"].update(groups=[["a", "z"]]), "unknown task 'z'"),
        (lambda content: content["candidates"]["all"]["scores"].update(a="x"), "damaged"),
        (lambda content: content["candidates"]["all"]["scores"].update(a=math.nan), "NaN is not a number"),
    ],
)
def test_damaged_choice_files_are_refused(tmp_path, change, message):
    file = tmp_path / "choice.json"
    write_choice(made(), file)
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    with pytest.raises(GraphError, match=message):
        read_choice(file)
