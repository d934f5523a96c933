"""The chooser without enough measurements: what is known before, predicted gains, and what to measure next."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, stats

from mvlpt.errors import GraphError
from mvlpt.graph.choice import (
    Candidate,
    Estimates,
    Prior,
    choose_candidates,
    expected_improvement,
    known_gains,
    next_candidate,
    pooled_difference,
    predict_gains,
    propose_candidates,
    shrunk_accuracies,
)

TASKS = ("a", "b", "c", "d")
PLANTED = np.array([[1, 0.9, 0.1, 0.1], [0.9, 1, 0.1, 0.1], [0.1, 0.1, 1, 0.8], [0.1, 0.1, 0.8, 1]])
CROSSED = PLANTED[np.ix_([0, 2, 1, 3], [0, 2, 1, 3])]
CANDIDATES = propose_candidates(TASKS, {"visual.centred": PLANTED, "label": CROSSED}, counts=(3,))
NOTHING = np.full((len(CANDIDATES), 4), np.nan)


def served(trains, scores=NOTHING, errors=NOTHING, zero_shot=None, **options):
    priors = known_gains(CANDIDATES, trains, zero_shot=zero_shot)
    found = choose_candidates(CANDIDATES, TASKS, scores, errors, priors=priors, bias=5.0, **options)
    return [one.candidate for one in found]


def test_without_a_measurement_what_is_known_decides():
    """Visual prompts always share; a text prompt of a task that the model knows stays alone."""
    mixed = [0.2, 0.9, 0.2, 0.9]
    image, text = served(("image",), zero_shot=mixed), served(("text",), zero_shot=mixed)
    assert (image[1::2], text[1::2]) == (["visual.centred-2"] * 2, ["single"] * 2)
    assert all(name.startswith("adapted-") for name in image[::2] + text[::2])
    assert served((), zero_shot=mixed) == ["single"] * 4


def test_what_is_known_lies_between_its_ends():
    ends = [known_gains(CANDIDATES, ("image",), shots=shots)["all"].gain for shots in (2, 4)]
    between = known_gains(CANDIDATES, ("image",), shots=3)["all"].gain
    assert between == pytest.approx(ends[0] + (ends[1] - ends[0]) * (math.log2(3) - 1))
    most = known_gains(CANDIDATES, ("image",), shots=8)["all"].gain
    for shots in (16, -1):  # many, and all
        assert known_gains(CANDIDATES, ("image",), shots=shots)["all"].gain == most
    known = known_gains(CANDIDATES, ("text",), zero_shot=[0.1, 0.3, 0.525, 0.75])["all"].gain
    assert known[0] == known[1]
    assert known[2] == pytest.approx((known[1] + known[3]) / 2)


def test_accuracies_on_few_images_are_shrunk_to_the_mean():
    """As if the mean had been seen on four images more."""
    found = shrunk_accuracies([0.0, 1.0, 0.5], [4, 12, 1])
    assert found == pytest.approx([0.25, (12 + 2) / 16, 0.5])
    assert shrunk_accuracies([0.2, 0.8], [10**6, 10**6]) == pytest.approx([0.2, 0.8], abs=1e-5)


def test_known_gains_prefer_the_objectives_number_of_groups():
    gains = known_gains(CANDIDATES, ("image",))
    assert gains["single"] == Prior(0.0, 0.0)
    assert gains["visual.centred-2"].gain > gains["visual.centred-3"].gain
    assert gains["visual.centred-2"].gain > gains["all"].gain > gains["label-2"].gain
    assert set(gains) == {one.name for one in CANDIDATES}


def test_biased_measurements_hardly_move_what_is_known_and_sound_ones_do():
    scores = np.full((len(CANDIDATES), 4), 50.0)
    scores[[one.name == "all" for one in CANDIDATES]] = 58.0
    errors = np.ones_like(scores)
    assert served(("image",), scores, errors) == served(("image",))
    priors = known_gains(CANDIDATES, ("image",))
    far = {name: Prior(one.gain, 5 * one.error) for name, one in priors.items()}
    assert {one.candidate for one in choose_candidates(CANDIDATES, TASKS, scores, errors, priors=far)} == {"all"}


@pytest.mark.parametrize(("behind", "chosen"), [(0.9, "visual.centred-2"), (1.1, "adapted-visual.centred-2")])
def test_what_two_gains_have_in_common_is_no_error_of_their_difference(behind, chosen):
    """Scores with independent errors: a gain over each task alone has the error of the difference of two gains."""
    alone, first, second = np.random.default_rng(0).normal(scale=math.sqrt(0.5), size=(3, 100_000))
    assert (first - alone).std() == pytest.approx(1.0, abs=0.01)
    assert ((first - alone) - (second - alone)).std() == pytest.approx(1.0, abs=0.01)
    priors = {one.name: Prior(-9.0, 1.0) for one in CANDIDATES}
    priors |= {"single": Prior(0.0, 0.0), "visual.centred-2": Prior(5.0 - behind, 1.0)}
    priors["adapted-visual.centred-2"] = Prior(5.0, 1.0)
    assert {one.candidate for one in choose_candidates(CANDIDATES, TASKS, NOTHING, NOTHING, priors=priors)} == {chosen}


def test_a_candidate_below_a_simpler_one_is_never_chosen():
    """It may lie within the error of the best, which is then not a reason for it."""
    expected = {"single": 0.0, "all": -2.0, "adapted-all": 3.0}
    priors = {one.name: Prior(expected.get(one.name, -9.0), 0.0 if one.name == "single" else 2.0) for one in CANDIDATES}
    found = choose_candidates(CANDIDATES, TASKS, NOTHING, NOTHING, priors=priors, tolerance=1.4)
    assert {one.candidate for one in found} == {"adapted-all"}
    found = choose_candidates(CANDIDATES, TASKS, NOTHING, NOTHING, priors=priors, tolerance=1.6)
    assert {one.candidate for one in found} == {"single"}


def test_of_equally_simple_candidates_the_steadier_is_taken():
    """If they cannot be told apart; the reason says so."""
    priors = {one.name: Prior(-9.0, 0.5) for one in CANDIDATES}
    priors["single"] = Prior(0.0, 0.0)
    priors["adapted-visual.centred-2"] = Prior(3.0, 0.5, 9.0)
    priors["adapted-label-2"] = Prior(2.8, 0.5, 5.0)
    found = choose_candidates(CANDIDATES, TASKS, NOTHING, NOTHING, priors=priors)
    assert {one.candidate for one in found} == {"adapted-label-2"}
    assert "adapted-label-2 differs less between tasks than adapted-visual.centred-2" in found[0].reason
    priors["adapted-label-2"] = Prior(2.0, 0.5, 5.0)  # further behind than the error of the difference
    found = choose_candidates(CANDIDATES, TASKS, NOTHING, NOTHING, priors=priors)
    assert {one.candidate for one in found} == {"adapted-visual.centred-2"}


@pytest.mark.parametrize(("deviation", "chosen"), [(8.7, "adapted-label-2"), (9.3, "adapted-visual.centred-2")])
def test_a_hair_of_steadiness_does_not_outweigh_points(deviation, chosen):
    """Of two within each other's error, a point less of deviation makes good for half a point of the estimate."""
    priors = {one.name: Prior(-9.0, 0.5) for one in CANDIDATES}
    priors["single"] = Prior(0.0, 0.0)
    priors["adapted-visual.centred-2"] = Prior(3.0, 0.5, 10.0)
    priors["adapted-label-2"] = Prior(2.5, 0.5, deviation)
    assert {one.candidate for one in choose_candidates(CANDIDATES, TASKS, NOTHING, NOTHING, priors=priors)} == {chosen}


def test_each_tasks_difference_is_shrunk_to_what_is_expected_of_it():
    """Measured exactly as expected, every task keeps its expected difference, whatever the errors."""
    expected = np.array([4.0, -2.0, 0.5])
    first, second = Estimates(50 + expected, np.full(3, 3.0)), Estimates(np.full(3, 50.0), np.full(3, 2.0))
    found = pooled_difference(first, second, prior=(expected, 1.0))
    assert found.scores == pytest.approx(expected)
    moved = pooled_difference(Estimates(first.scores + 2, first.errors), second, prior=(expected, 1.0))
    shares = np.array([1 / (13 / 3), 1 / 1.0])
    assert moved.scores == pytest.approx(expected + 2 * shares[0] / shares.sum())
    unknown = Estimates(np.full(3, np.nan), np.full(3, np.nan))
    assert pooled_difference(unknown, second, prior=(expected, 1.0)).scores == pytest.approx(expected)


def test_a_prior_is_combined_by_precision():
    first, second = Estimates(np.full(3, 54.0), np.full(3, 3.0)), Estimates(np.full(3, 50.0), np.full(3, 3.0))
    variance = 18 / 3
    for prior, error, bias in ((0.0, 2.0, 0.0), (1.0, 0.5, 4.0)):
        found = pooled_difference(first, second, prior=(prior, error), bias=bias)
        precisions = 1 / (variance + bias**2), 1 / error**2
        assert found.scores == pytest.approx([np.average([4, prior], weights=precisions)] * 3)
        assert found.errors == pytest.approx([math.sqrt(1 / sum(precisions))] * 3)
    unknown = Estimates(np.full(3, np.nan), np.full(3, np.nan))
    only = pooled_difference(unknown, second, prior=(1.5, 0.5))
    assert (only.scores.tolist(), only.errors.tolist()) == ([1.5] * 3, [0.5] * 3)
    assert np.isnan(pooled_difference(unknown, second).scores).all()


def test_a_bias_does_not_hide_what_tells_tasks_apart():
    first = Estimates(np.array([70.0, 50.0, 50.0, 30.0]), np.ones(4))
    found = pooled_difference(first, Estimates(np.full(4, 50.0), np.ones(4)), prior=(0.0, 1.0), bias=10.0)
    assert found.scores[0] > 15
    assert found.scores[3] < -15


def test_expected_improvement_against_the_integral():
    for mean, error, best in ((1.0, 2.0, 0.5), (-1.0, 1.0, 1.0), (3.0, 0.5, 0.0)):
        truth, _ = integrate.quad(lambda x, m=mean, e=error, b=best: (x - b) * stats.norm.pdf(x, m, e), best, best + 40)
        assert expected_improvement(mean, error, best) == pytest.approx(truth, rel=1e-5)
    assert expected_improvement([2.0, 1.0], [0.0, 0.0], [1.5, 3.0]).tolist() == [0.5, 0.0]


def test_the_next_candidate_is_worth_most_for_its_cost():
    gains = Estimates(np.array([[0.0, 0], [3, 3], [2, 2], [-9, -9]]), np.array([[0.0, 0], [0.1, 0.1], [4, 4], [1, 1]]))
    costs = {1: 1.0, 2: 1.0, 3: 0.01}
    assert next_candidate(gains, costs, 5) == 2  # uncertain and near the best
    assert next_candidate(gains, {**costs, 2: 100.0}, 200) == 1  # now too expensive for what it may bring
    assert next_candidate(gains, {2: 1.0}, 0.5) is None
    assert next_candidate(gains, {3: 0.01}, 5) is None  # hopeless
    with pytest.raises(GraphError, match="above 0"):
        next_candidate(gains, {1: 0.0}, 5)
    with pytest.raises(GraphError, match="predict those not measured"):
        next_candidate(Estimates(np.array([[np.nan]]), np.array([[1.0]])), {0: 1.0}, 5)


def planted_truth(seed, tasks=9, sets=24):
    """Partitions into three groups, with gains that follow a target's own term and its partners; and an affinity."""
    rng = np.random.default_rng(seed)
    names = tuple(f"t{i}" for i in range(tasks))
    partners, own = rng.normal(0, 3, (tasks, tasks)), rng.normal(0, 4, tasks)
    candidates, gains = [Candidate("single", tuple((name,) for name in names))], [np.zeros(tasks)]
    for number in range(sets):
        groups = np.split(rng.permutation(tasks), [3, 6])
        candidates.append(Candidate(f"c{number:02}", tuple(tuple(names[i] for i in group) for group in groups)))
        gains.append(np.empty(tasks))
        for group in groups:
            for target in group:
                gains[-1][target] = 1 + own[target] + np.mean([partners[u, target] for u in group if u != target])
    affinity = partners + rng.normal(0, 3, partners.shape)
    return candidates, names, np.array(gains), affinity


def within_rho(found, truth):
    return stats.spearmanr((found - found.mean(axis=0)).ravel(), (truth - truth.mean(axis=0)).ravel()).statistic


def test_the_surrogate_finds_planted_gains():
    rng = np.random.default_rng(0)
    rhos = []
    for seed in range(3):
        candidates, names, truth, affinity = planted_truth(seed)
        measured = truth + rng.normal(0, 1, truth.shape)
        hidden = np.arange(len(candidates)) > 14
        measured[hidden] = np.nan
        for matrix in (None, affinity):
            found = predict_gains(candidates, names, measured, np.ones_like(truth), matrix)
            unseen = np.abs(found.scores - truth)[hidden] / found.errors[hidden]
            assert (unseen < 2).mean() > 0.85  # standard errors mean what they say
            rhos.append((within_rho(found.scores[hidden], truth[hidden]), matrix is not None))
        assert (found.scores[0] == 0).all()
        assert (found.errors[0] == 0).all()
    bare, helped = (np.mean([rho for rho, with_affinity in rhos if with_affinity == side]) for side in (False, True))
    assert bare > 0.3
    assert helped > bare


def test_similar_partners_are_evidence_of_each_other():
    """Tasks of one kind do the same to a target; few gains of some of them then say what the others do."""
    rng = np.random.default_rng(3)
    kinds = np.arange(8) % 2
    effect = rng.normal(0, 4, (2, 8))[kinds]  # of each source on each target, by the source's kind
    names = tuple(f"t{i}" for i in range(8))
    pairs = list(itertools.combinations(range(8), 2))
    candidates = [Candidate("single", tuple((name,) for name in names))]
    measured = [np.zeros(8)]
    truth = [np.zeros(8)]
    for number, (i, j) in enumerate(pairs):
        rest = tuple((name,) for k, name in enumerate(names) if k not in (i, j))
        candidates.append(Candidate(f"p{number:02}", ((names[i], names[j]), *rest)))
        truth.append(np.zeros(8))
        truth[-1][[i, j]] = effect[j, i], effect[i, j]
        seen = np.where(truth[-1] != 0, truth[-1] + rng.normal(0, 0.5, 8), np.nan)
        measured.append(seen if number % 3 == 0 else np.full(8, np.nan))
    similarity = (1 + np.where(kinds[:, None] == kinds[None], 1.0, -1.0)) / 2
    hidden = [row for row in range(1, len(pairs) + 1) if (row - 1) % 3]
    errors = np.full((len(candidates), 8), 0.5)
    far = []
    for matrix in (None, similarity):
        found = predict_gains(candidates, names, measured, errors, similarity=matrix).scores
        far.append(np.sqrt(np.mean([(found[row] - truth[row])[truth[row] != 0] ** 2 for row in hidden])))
    assert far[1] < 0.7 * far[0]


def test_the_surrogate_does_not_depend_on_orders():
    candidates, names, truth, affinity = planted_truth(5, sets=8)
    truth[6:] = np.nan
    found = predict_gains(candidates, names, truth, np.ones_like(truth), affinity)
    rows, columns = np.random.default_rng(1).permutation(9), np.random.default_rng(2).permutation(9)
    turned = predict_gains(
        [candidates[row] for row in rows],
        [names[column] for column in columns],
        truth[np.ix_(rows, columns)],
        np.ones((9, 9)),
        affinity[np.ix_(columns, columns)],
    )
    assert turned.scores == pytest.approx(found.scores[np.ix_(rows, columns)], abs=1e-6)


def test_equal_gains_on_few_images_are_not_certain():
    """Three tasks with as many right answers shared as alone say nothing of how groups do."""
    gains = np.full((len(CANDIDATES), 4), np.nan)
    gains[1] = 0.0
    found = predict_gains(CANDIDATES, TASKS, gains, np.full_like(gains, 15.0), similarity=PLANTED)
    assert found.scores == pytest.approx(0.0)
    assert found.errors[2].min() > 5


@pytest.mark.parametrize(
    ("gains", "message"),
    [
        (np.full((len(CANDIDATES), 4), np.nan), "two measured gains"),
        (np.zeros((1, 4)), "shape"),
    ],
)
def test_bad_input_of_the_surrogate_is_one_sentence(gains, message):
    with pytest.raises(GraphError, match=message):
        predict_gains(CANDIDATES, TASKS, gains, np.ones_like(gains))
