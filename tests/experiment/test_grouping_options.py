"""The options of grouping: declared once, and the same on the command line and in an experiment file."""

import dataclasses

import pytest

from mvlpt.cli.group_parser import build_parser, given_options
from mvlpt.errors import ConfigError
from mvlpt.experiment.grouping import GROUPING_OPTIONS, GroupingOptions
from mvlpt.experiment.grouping.options import grouping_problems

# On the command line and in an experiment's section ``grouping``.
SAME = {
    "similarity": (["--similarity", "visual=1"], "visual=1"),
    "rescale": (["--raw"], False),
    "fit": (["--fit", "a.jsonl"], "a.jsonl"),
    "affinity": (["--affinity", "grad"], "grad"),
    "trainer": (["--trainer", "MVLPT-VPT"], "MVLPT-VPT"),
    "steps": (["--steps", "3"], 3),
    "results": (["--results", "a.jsonl"], "a.jsonl"),
    "method": (["--method", "exact"], "exact"),
    "groups": (["--groups", "2"], 2),
    "max_size": (["--max-size", "4"], 4),
    "max_classes": (["--max-classes", "9"], 9),
    "must_link": (["--must-link", "a+b", "--must-link", "c+d"], ["a+b", ["c", "d"]]),
    "cannot_link": (["--cannot-link", "a+b"], "a+b"),
    "threshold": (["--threshold", "0.5"], 0.5),
    "seed": (["--grouping-seed", "7"], 7),
    "pictures": (["--no-pictures"], False),
    "file": ([], "groups.yaml"),
    "budget": ([], 0.5),
    "budget_seconds": ([], 60.0),
    "budget_runs": ([], 8),
    "folds": ([], 3),
}


def test_every_option_is_declared_with_all_that_is_known_of_it():
    assert [one.name for one in GROUPING_OPTIONS] == [field.name for field in dataclasses.fields(GroupingOptions)]
    assert {one.name for one in GROUPING_OPTIONS} == set(SAME)
    assert all(one.help for one in GROUPING_OPTIONS)


@pytest.mark.parametrize("name", SAME)
def test_the_command_line_and_a_file_give_the_same(name):
    words, value = SAME[name]
    needs = {
        "steps": {"affinity": "grad"},
        "results": {"affinity": "measured"},
        "budget": {"method": "choose"},
        "budget_seconds": {"method": "choose"},
        "budget_runs": {"method": "choose"},
        "folds": {"method": "choose"},
    }.get(name, {})
    from_file = GroupingOptions.from_section({name: value, **needs})
    assert list(grouping_problems({name: value})) == []
    if words:
        given = given_options(build_parser().parse_args(words))
        assert list(given) == [name]
        assert GroupingOptions.from_section({}, {**given, **needs}) == from_file
    assert getattr(from_file, name) not in (None, "", ())


def test_an_empty_command_line_gives_nothing():
    assert given_options(build_parser().parse_args([])) == {}
    assert given_options(build_parser().parse_args(["--groups", "0"])) == {"groups": 0}


def test_the_section_of_an_experiment():
    section = {"similarity": {"visual": 1, "label": 2}, "must_link": [["a", "b"], "c+d"], "max_size": 3, "file": None}
    options = GroupingOptions.from_section(section)
    assert options.similarity == "visual=1,label=2"
    assert options.must_link == (("a", "b"), ("c", "d"))
    assert options.constraints()["max_size"] == 3
    with pytest.raises(ConfigError, match=r"grouping\.max_sise is unknown; did you mean 'max_size'"):
        GroupingOptions.from_section({"max_sise": 3})


def test_another_method_leaves_the_budget_of_the_chooser():
    section = {"method": "choose", "budget_runs": 9, "folds": 3, "max_size": 4}
    options = GroupingOptions.from_section(section, {"method": "exact"})
    assert (options.method, options.max_size, options.budget_runs, options.folds) == ("exact", 4, None, None)


def test_what_is_grouped_by_is_one_choice():
    section = {"similarity": "label", "max_size": 3}
    assert GroupingOptions.from_section(section, {"affinity": "grad"}).similarity == ""
    assert GroupingOptions.from_section({"affinity": "grad"}, {"similarity": "label"}).affinity == ""
    assert GroupingOptions.from_section(section, {"max_size": 5}).similarity == "label"


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"max_sise": 3}, "unknown key 'grouping.max_sise'; did you mean 'max_size'?"),
        ({"max_size": 0}, "grouping.max_size is 0; give a whole number of at least 1"),
        ({"groups": "2"}, "grouping.groups is '2'; give a whole number"),
        ({"groups": True}, "grouping.groups is True; give a whole number"),
        ({"rescale": 1}, "grouping.rescale is 1; give true or false"),
        ({"method": 3}, "grouping.method is 3; give a string"),
        ({"threshold": "high"}, "grouping.threshold is 'high'; give a number"),
        ({"similarity": ["visual"]}, "grouping.similarity is ['visual']; give weights, such as visual=0.5,label=0.5"),
        ({"must_link": 3}, "grouping.must_link is 3; give a list of tasks that are joined by +"),
    ],
)
def test_what_a_section_cannot_hold(section, sentence):
    assert list(grouping_problems(section)) == [sentence]
    if "max_size" not in section:  # limits are checked against the tasks
        with pytest.raises(ConfigError, match=next(iter(section))):
            GroupingOptions.from_section(section)


def test_a_similarity_beside_an_affinity():
    assert "one of them" in next(grouping_problems({"similarity": "label", "affinity": "grad"}))
