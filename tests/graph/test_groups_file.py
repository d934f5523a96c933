"""Groupings and groups.yaml: round trips, and files that were edited by hand."""

import numpy as np
import pytest
import yaml

from mvlpt.errors import GraphError
from mvlpt.graph import Grouping, group_tasks, read_groups, write_groups
from mvlpt.graph.grouping.groups import canonical_groups, relative_gap

HEAD = "format: mvlpt-groups\nversion: 1\n"
TASKS = ("cars", "eurosat", "pets")


def written(tmp_path, body, head=HEAD):
    path = tmp_path / "groups.yaml"
    path.write_text(head + body, encoding="utf-8")
    return path


def test_round_trips(tmp_path):
    path = tmp_path / "groups.yaml"
    matrix = np.random.default_rng(0).uniform(size=(6, 6))
    names = ["1", "no", "a: b", "überall", "x #y", "1e3"]
    for grouping in (
        group_tasks(matrix, names, method="louvain", groups=3, max_size=3, must_link=[["1", "no"]], seed=4),
        Grouping((("a", "b"), ("b", "c")), "selection", 3.5, 0.0, serves={"a": "g1", "b": "g2", "c": "g2"}),
        Grouping((("b",), ("a",)), labels=("animals", "land.use")),
    ):
        write_groups(grouping, path)
        assert read_groups(path) == grouping
        assert read_groups(tmp_path, tasks=reversed(grouping.tasks)) == grouping
    assert yaml.safe_load(path.read_text())["format"] == "mvlpt-groups"


def test_a_file_made_by_hand(tmp_path):
    found = read_groups(written(tmp_path, "groups:\n  g1: [pets]\n  g2: [eurosat, cars]\n"), TASKS)
    assert found.groups == (("pets",), ("eurosat", "cars"))
    assert (found.method, found.objective, found.gap, found.serves) == ("manual", None, None, None)
    assert found.group_of("cars") == "g2"
    assert found.members("g1") == ("pets",)
    named = read_groups(written(tmp_path, "groups: {land: [eurosat], rest: [pets, cars]}\n"))
    assert named.names == ("land", "rest")
    assert named.group_of("pets") == "rest"
    overlapping = "groups: {g1: [cars, eurosat], g2: [eurosat, pets]}\nserves: {eurosat: g2}\n"
    assert read_groups(written(tmp_path, overlapping), TASKS).serves == {"cars": "g1", "eurosat": "g2", "pets": "g2"}


BAD = [
    ("groups: {g1: [cars, eurosat]}", "no group contains 'pets'; every task must be in one"),
    ("groups: {g1: [cars, eurosat, pets], g2: [cars]}", "Task 'cars' is in group 'g1' and in group 'g2'; remove it"),
    ("groups: {g1: [cars, cars, eurosat, pets]}", "Group 'g1' contains 'cars' twice"),
    ("groups: {g1: [cars, eurosat, pet]}", "'pet' of group 'g1' is unknown; did you mean 'pets'"),
    ("groups: {g1: [cars, eurosat, pets], g2: []}", "group 'g2' is empty"),
    ("groups: {g1: [cars, eurosat, pets], g2:}", "group 'g2' is empty"),
    ("groups: {g1: cars}", "group 'g1' contains 'cars'; give a list of task names"),
    ("groups: {g1: [cars, 101]}", "group 'g1' contains 101; give a list of task names, in quotes"),
    ("groups:\n  g1:\n  - cars\n  -\n", "group 'g1' contains an empty item; give a list of task names"),
    ("groups: {g1: [[cars]]}", "give a list of task names"),
    ("groups: [cars]", "groups is .*give each group a name and a list"),
    ("groups: {}", "give each group a name and a list"),
    ("method: exact", "groups is missing"),
    ("groups: {g1: [cars], g1: [pets, eurosat]}", "line 3, column 22: the key 'g1' is given twice"),
    ("groups: {g1: [cars]}\ngroups: {g1: [pets]}", "the key 'groups' is given twice"),
    ("groups: {1: [cars, eurosat, pets]}", "a group is named 1, which is no string to YAML; put it in quotes"),
    ("groups: {yes: [cars, eurosat, pets]}", "a group is named True"),
    ("groups: {../out: [cars, eurosat, pets]}", "cannot be named '../out'"),
    ("groups: {g1: [cars, eurosat, pets]}\nsevers: {}", "unknown key 'severs'; did you mean 'serves'"),
    (
        "groups: {g1: [cars, eurosat], g2: [eurosat, pets]}\nserves: {cars: g1}",
        "serves omits the task 'eurosat'; name one of g1, g2",
    ),
    (
        "groups: {g1: [cars, eurosat], g2: [pets]}\nserves: {cars: g2, eurosat: g1, pets: g2}",
        "serves says 'cars: g2', but that group does not contain it",
    ),
    ("groups: {g1: [cars, eurosat, pets]}\nserves: {dogs: g1}", "serves names the task 'dogs', which is in no group"),
    ("groups: {g1: [cars, eurosat, pets]}\nserves: [a]", "serves is .*give a mapping"),
    ("groups: {g1: [cars, eurosat, pets]}\nobjective: high", "objective is 'high'; give a number"),
    ("groups: {g1: [cars, eurosat, pets]}\nseed: 1.5", "seed is 1.5; give a whole number"),
    ("groups: {g1: [cars, eurosat, pets]", "is not valid YAML"),
    ("groups: !!python/object/apply:os.system [ls]", "is not valid YAML"),
]


@pytest.mark.parametrize(("body", "message"), BAD, ids=[message for _, message in BAD])
def test_a_file_edited_badly_is_refused_in_one_sentence(tmp_path, body, message):
    path = written(tmp_path, body + "\n")
    with pytest.raises(GraphError, match=message) as caught:
        read_groups(path, TASKS)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_formats_and_versions(tmp_path):
    with pytest.raises(GraphError, match="a groups file of version 2, but this program reads version 1"):
        read_groups(written(tmp_path, "groups: {g1: [a]}\n", "format: mvlpt-groups\nversion: 2\n"))
    with pytest.raises(GraphError, match="does not say 'format: mvlpt-groups'"):
        read_groups(written(tmp_path, "groups: {g1: [a]}\n", ""))
    with pytest.raises(GraphError, match="No groups at"):
        read_groups(tmp_path / "none.yaml")
    (tmp_path / "raw.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(GraphError, match=r"raw\.yaml"):
        read_groups(tmp_path / "raw.yaml")


def test_a_file_that_expands_gets_a_short_message(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(GraphError) as caught:
        read_groups(written(tmp_path, "groups: {g1: [*a11]}\n", "\n".join([*lines, HEAD])))
    assert len(str(caught.value)) < 600


def test_groups_are_ordered_by_rule():
    assert canonical_groups([["z"], ["b", "a"], ["c"], ["y", "x"]]) == (("a", "b"), ("x", "y"), ("c",), ("z",))


def test_gaps():
    assert relative_gap(4.0, 3.0) == 0.25
    assert relative_gap(-4.0, -5.0) == 0.25
    assert relative_gap(1.0, 1.0 - 1e-12) == 0.0
    assert relative_gap(0.0, -1.0) == float("inf")


def test_unknown_names():
    grouping = Grouping((("pets", "cars"), ("eurosat",)))
    with pytest.raises(GraphError, match="No group contains the task 'pet'; did you mean 'pets'"):
        grouping.group_of("pet")
    with pytest.raises(GraphError, match="There is no group 'g3'"):
        grouping.members("g3")
    with pytest.raises(GraphError, match="needs at least one group"):
        Grouping(())
