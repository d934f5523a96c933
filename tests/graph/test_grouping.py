"""Partitions of tasks: exact ones against all partitions, and the properties of every method."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.partitions import LIMITS, all_partitions, names, noise, satisfies, value_of

from mvlpt.errors import GraphError
from mvlpt.graph.grouping import METHODS, check_grouping, group_tasks, within_between_means
from mvlpt.graph.grouping.exact import solve_exactly
from mvlpt.graph.grouping.heuristics import STARTS, best_heuristic
from mvlpt.graph.grouping.milp import solve_milp
from mvlpt.graph.grouping.objective import integer_weights, pair_weights
from mvlpt.graph.grouping.problem import build_problem
from mvlpt.graph.grouping.subset_dp import best_labels

SEARCHES = [method for method in METHODS if method not in ("all", "single")]
CLASSES = {task: 2 + 3 * number % 5 for number, task in enumerate(names(8))}


def limited(limits, tasks):
    return limits | ({"classes": {task: CLASSES[task] for task in tasks}} if "max_classes" in limits else {})


def optimum(matrix, tasks, threshold, limits):
    allowed = [part for part in all_partitions(tasks) if satisfies(part, **limits)]
    return max(value_of(matrix, tasks, part, threshold) for part in allowed)


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_exact_is_the_best_of_all_partitions(limits):
    tasks = names(7)
    limits = limited(limits, tasks)
    for seed in range(3):
        matrix = noise(7, seed, directed=True)
        found = group_tasks(matrix, tasks, method="exact", **limits)
        best = optimum(matrix, tasks, 0.0, limits)
        assert satisfies(found.groups, **limits)
        assert found.objective == pytest.approx(best, abs=1e-9)
        assert value_of(matrix, tasks, found.groups, 0.0) == pytest.approx(best, abs=1e-9)
        assert found.gap == 0.0


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_the_integer_program_agrees_with_dynamic_programming(limits):
    tasks = names(8)
    for seed in range(2):
        weights, _, _ = pair_weights(noise(8, seed), tasks, threshold=0.0)
        problem = build_problem(weights, tasks, **limited(limits, tasks))
        table, program = best_labels(problem), solve_milp(problem)
        assert program.proved
        assert problem.is_feasible(table)
        assert problem.is_feasible(program.labels)
        assert problem.score(program.labels) == pytest.approx(problem.score(table), rel=1e-6)


def test_eight_tasks_with_the_default_threshold_match_all_4140_partitions():
    tasks = names(8)
    matrix = np.random.default_rng(3).uniform(size=(8, 8))
    matrix = (matrix + matrix.T) / 2
    mean = np.mean([matrix[i, j] for i, j in itertools.combinations(range(8), 2)])
    found = group_tasks(matrix, tasks, method="exact")
    assert found.settings["kind"] == "similarity"
    assert found.settings["threshold"] == pytest.approx(mean)
    assert found.objective == pytest.approx(optimum(matrix, tasks, mean, {}), abs=1e-9)


@given(
    st.integers(1, 6).flatmap(
        lambda count: st.tuples(
            st.lists(st.integers(-3, 3), min_size=count * count, max_size=count * count),
            st.permutations(range(count)),
            st.one_of(st.none(), st.integers(1, count)),
        )
    )
)
@settings(max_examples=60, deadline=None)
def test_integers_with_many_ties(drawn):
    flat, order, groups = drawn
    count = len(order)
    tasks, matrix = names(count), np.array(flat, dtype=float).reshape(count, count)
    limits = {} if groups is None else {"groups": groups}
    found = group_tasks(matrix, tasks, method="exact", kind="affinity", **limits)
    best = optimum(matrix, tasks, 0.0, limits)
    assert found.objective == best
    fewest = min(
        len(part)
        for part in all_partitions(tasks)
        if satisfies(part, **limits) and value_of(matrix, tasks, part, 0.0) == best
    )
    assert len(found.groups) == fewest
    shuffled = group_tasks(
        matrix[np.ix_(order, order)], [tasks[i] for i in order], method="exact", kind="affinity", **limits
    )
    assert shuffled == found


@pytest.mark.parametrize("method", SEARCHES)
@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_every_method_satisfies_the_limits_and_reports_its_gap(method, limits):
    tasks = names(8)
    limits = limited(limits, tasks)
    matrix = noise(8, 5)
    found = group_tasks(matrix, tasks, method=method, threshold=0.0, **limits)
    best = group_tasks(matrix, tasks, method="exact", threshold=0.0, **limits).objective
    assert sorted(found.tasks) == tasks
    assert satisfies(found.groups, **limits)
    assert found.objective == pytest.approx(value_of(matrix, tasks, found.groups, 0.0), abs=1e-9)
    assert found.gap == pytest.approx((best - found.objective) / abs(best), abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["noise", "ties", "blocks"])
def test_the_order_of_the_tasks_does_not_matter(method, kind):
    tasks = names(24)
    rng = np.random.default_rng(1)
    matrix = noise(24, 2)
    if kind == "ties":
        matrix = np.round(matrix)
    if kind == "blocks":
        matrix = 0.1 * matrix + (np.arange(24)[:, None] // 6 == np.arange(24) // 6)
    limits = {} if method in ("all", "single", "exact") else {"max_size": 7, "cannot_link": [tasks[:2]]}
    limits |= {"groups": 4, "time_limit": None} if method == "exact" else {}
    if method == "exact" and kind != "blocks":
        matrix, tasks = matrix[:12, :12], tasks[:12]
    found = group_tasks(matrix, tasks, method=method, threshold=0.0, **limits)
    for _ in range(2):
        order = rng.permutation(len(tasks))
        again = group_tasks(
            matrix[np.ix_(order, order)], [tasks[i] for i in order], method=method, threshold=0.0, **limits
        )
        assert again == found


@pytest.mark.parametrize("method", ["exact", "louvain", "greedy", "spectral", "agglomerative", "auto"])
def test_planted_groups_are_found(method):
    planted = np.arange(60) % 5
    rng = np.random.default_rng(0)
    matrix = 0.3 + 0.4 * (planted[:, None] == planted) + rng.normal(0, 0.03, (60, 60))
    matrix = (matrix + matrix.T) / 2
    found = group_tasks(matrix, names(60), method=method)
    expected = [[task for task, group in zip(names(60), planted, strict=True) if group == g] for g in range(5)]
    assert sorted(map(list, found.groups)) == sorted(expected)


def test_tasks_that_are_all_alike_share_one_group():
    found = group_tasks(np.full((9, 9), 0.1 + 0.2), names(9), method="exact")
    assert found.groups == (tuple(names(9)),)
    assert found.objective == 0.0


def test_beyond_dynamic_programming_the_result_is_proved_or_reports_its_gap():
    tasks = names(40)
    planted = np.arange(40) % 4
    matrix = noise(40, 0) * 0.3 + (planted[:, None] == planted)
    proved = group_tasks(matrix, tasks, method="exact", max_size=10, time_limit=None)
    assert proved.gap == 0.0
    assert len(proved.groups) == 4
    hurried = group_tasks(noise(40, 1), tasks, method="exact", time_limit=0.5)
    assert hurried.gap is None
    assert hurried.settings["bound"] > hurried.objective > 0
    assert hurried.settings["gap_at_most"] == pytest.approx(hurried.settings["bound"] / hurried.objective - 1, rel=1)


@pytest.mark.parametrize("limits", [{}, {"max_size": 4}, {"groups": 3, "max_size": 6}], ids=str)
def test_the_best_heuristic_is_nearly_exact(limits):
    tasks = names(14)
    for seed in range(3):
        weights, _, _ = pair_weights(noise(14, seed), tasks, threshold=0.0)
        problem = build_problem(weights, tasks, **limits)
        labels, _ = best_heuristic(problem)
        assert problem.is_feasible(labels)
        assert problem.score(labels) >= 0.99 * problem.score(best_labels(problem))


def test_auto_reports_the_method_it_used():
    assert group_tasks(noise(10, 0), method="auto").settings["found_by"] == "exact"
    large = group_tasks(noise(40, 0), method="auto")
    assert large.settings["found_by"] in STARTS
    assert large.gap is None


def test_baselines():
    tasks = names(6)
    assert group_tasks(noise(6, 0), tasks, method="all").groups == (tuple(tasks),)
    assert group_tasks(noise(6, 0), tasks, method="single").groups == tuple((task,) for task in tasks)
    one, two = (group_tasks(noise(9, 0), method="random", groups=3, seed=seed) for seed in (1, 2))
    assert [len(group) for group in one.groups] == [3, 3, 3]
    assert one.groups != two.groups
    sizes = [len(group) for group in group_tasks(noise(9, 0), method="exact").groups]
    assert [len(group) for group in group_tasks(noise(9, 0), method="random").groups] == sizes


def test_one_task_and_unnamed_tasks():
    assert group_tasks([[1.0]], ["pets"]).groups == (("pets",),)
    assert group_tasks(np.ones((11, 11)) - 2, threshold=0.0).groups == tuple((f"{i:02d}",) for i in range(11))


@pytest.mark.parametrize("scale", [2.0**-60, 2.0**60])
def test_the_unit_of_the_matrix_changes_neither_groups_nor_gap(scale):
    plain, scaled = (group_tasks(noise(8, 1) * unit, method="random", groups=3, threshold=0.0) for unit in (1.0, scale))
    assert plain.gap > 0.1
    assert (scaled.groups, scaled.gap) == (plain.groups, plain.gap)


def test_rounding_between_values_of_different_size_is_no_asymmetry():
    matrix = np.array([[0, 1e6, 1], [1e6, 0, 0], [1.5, 0, 0]])
    found = group_tasks(matrix, threshold=0.0)
    assert found.settings["kind"] == "similarity"
    assert found.groups == group_tasks(matrix, kind="affinity").groups


def test_names_from_a_generator_and_a_threshold_in_single_precision():
    matrix = (noise(4, 0) + 1).astype(np.float32)
    found = group_tasks(matrix, (name for name in "dcba"), threshold=matrix.mean())
    assert found == group_tasks(matrix, list("dcba"), threshold=float(matrix.mean()))


def test_many_tasks_of_many_families_that_must_not_mix():
    """Three tasks in each of 20 families: 3 ** 20 largest sets of tasks that are all apart."""
    tasks = names(60)
    apart = [pair for pair in itertools.combinations(tasks, 2) if int(pair[0][1:]) // 3 != int(pair[1][1:]) // 3]
    with pytest.raises(GraphError, match="which takes 20 groups, but max_groups is 19"):
        check_grouping(tasks, cannot_link=apart, max_groups=19)
    check_grouping(tasks, cannot_link=apart, max_groups=20)


def test_integer_weights_keep_proportions():
    weights, _, _ = pair_weights(noise(6, 4), names(6))
    whole = integer_weights(weights)
    assert (whole == np.rint(whole)).all()
    assert whole.sum() < 2**46
    np.testing.assert_allclose(whole / np.abs(whole).max(), weights / np.abs(weights).max(), atol=1e-10)


def test_inner_and_outer_means():
    matrix = np.array([[1.0, 0.8, 0.2], [0.6, 1.0, 0.4], [0.2, 0.0, 1.0]])
    (inner, outer), (lone, rest) = within_between_means(matrix, ["a", "b", "c"], [["a", "b"], ["c"]])
    assert inner == pytest.approx(0.7)
    assert outer == pytest.approx(0.2)
    assert np.isnan(lone)
    assert rest == pytest.approx(0.2)


BAD = [
    ({"method": "exat"}, "did you mean 'exact'"),
    ({"groups": 0}, "groups is 0; give a whole number of at least 1"),
    ({"groups": 9}, "groups is 9, but there are 8 tasks; ask for fewer groups"),
    ({"groups": 7, "must_link": [["t000", "t001", "t002"]]}, "must_link leaves 6 units"),
    ({"groups": 4, "max_groups": 3}, "groups is 4, but max_groups is 3"),
    ({"groups": 2, "max_size": 3}, "8 tasks do not fit into 2 groups of at most 3; raise groups to 3"),
    ({"max_groups": 2, "max_size": 3}, "raise max_groups to 3"),
    ({"groups": 1, "max_size": 3}, "8 tasks do not fit into 1 group of at most 3; raise groups to 3"),
    ({"max_size": 2, "must_link": [["t000", "t001"], ["t001", "t002"]]}, "must_link joins 3 tasks .* max_size is 2"),
    (
        {"must_link": [["t000", "t001"], ["t001", "t002"]], "cannot_link": [["t002", "t000"]]},
        "joins 't000' and 't002' through 't001', but cannot_link keeps them apart",
    ),
    ({"max_classes": 5}, "numbers of classes are not given"),
    ({"max_classes": 5, "classes": [9, *[1] * 7]}, "'t000' alone has 9 classes, but max_classes is 5"),
    ({"max_classes": 5, "classes": [3] * 8, "groups": 4}, "24 classes do not fit into 4 groups of at most 5"),
    ({"max_classes": 5, "classes": [3] * 8, "groups": 5}, "max_classes 5 cannot be satisfied together by 5 groups"),
    ({"max_classes": 5, "classes": [3] * 7}, "classes has 7 numbers for 8 tasks"),
    ({"max_classes": 5, "classes": {"t000": 3}}, "does not say how many classes 't001' has"),
    (
        {"max_classes": 5, "classes": [3] * 8, "must_link": [["t006", "t007"]]},
        "must_link joins 't006', 't007' with 6 classes together, but max_classes is 5",
    ),
    (
        {"cannot_link": [["t000", "t001", "t002"]], "groups": 2},
        "keeps 't000', 't001', 't002' all apart, which takes 3 groups, but groups is 2",
    ),
    ({"cannot_link": [["t000", "t01"]]}, "no task 't01'; did you mean 't001'"),
    ({"must_link": [["t000"]]}, "give sets of at least two different tasks"),
    ({"must_link": ["t000"]}, "must_link contains the single name 't000'"),
    ({"threshold": float("nan")}, "The threshold is nan"),
    ({"kind": "simlarity"}, "did you mean 'similarity'"),
    ({"method": "all", "max_size": 4}, "'all' makes one group, but max_size is 4"),
    ({"method": "all", "groups": 2}, "'all' makes one group, but at least 2 are required"),
    ({"method": "single", "groups": 2}, "'single' makes 8 groups, but exactly 2 are required"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=[message for _, message in BAD])
def test_invalid_options_are_refused_in_one_sentence(options, message):
    with pytest.raises(GraphError, match=message) as caught:
        group_tasks(noise(8, 0), names(8), **options)
    assert "\n" not in str(caught.value)
    assert not str(caught.value).endswith(".")


def test_contradictions_that_only_a_search_finds():
    ring = [[f"t{i:03d}", f"t{(i + 1) % 5:03d}"] for i in range(5)]  # an odd ring takes three colours
    for method in ("exact", "louvain"):
        with pytest.raises(GraphError, match="cannot_link cannot be satisfied together by 2 groups"):
            group_tasks(noise(5, 0), names(5), method=method, cannot_link=ring, groups=2)
    assert len(group_tasks(noise(5, 0), names(5), cannot_link=ring, groups=3).groups) == 3


def test_invalid_matrices():
    wrong = noise(4, 0)
    wrong[1, 2] = np.nan
    with pytest.raises(GraphError, match="nan for 't001' and 't002'"):
        group_tasks(wrong, names(4))
    with pytest.raises(GraphError, match="must be square"):
        group_tasks(np.ones((2, 3)))
    with pytest.raises(GraphError, match="4 x 4"):
        group_tasks(noise(4, 0), names(3))
    with pytest.raises(GraphError, match="4 x 4 and not 1 x 1"):
        group_tasks(noise(4, 0), "abcd")
    with pytest.raises(GraphError, match="'a' twice"):
        group_tasks(noise(2, 0), ["a", "a"])
    with pytest.raises(GraphError, match="not symmetric"):
        group_tasks(noise(4, 0, directed=True), names(4), kind="similarity")


def test_what_is_passed_in_stays_as_it_is():
    matrix = noise(6, 0)
    before = matrix.copy()
    group_tasks(matrix, names(6))
    np.testing.assert_array_equal(matrix, before)


def test_bounds_hold_where_the_optimum_is_known():
    tasks = names(12)
    weights, _, _ = pair_weights(noise(12, 3), tasks, threshold=0.0)
    problem = build_problem(weights, tasks, max_size=4)
    best = problem.score(best_labels(problem))
    for limit in (0.01, 0.05, 0.2):
        assert solve_milp(problem, limit).bound >= best * (1 - 1e-6)
    assert solve_exactly(problem).bound == best
