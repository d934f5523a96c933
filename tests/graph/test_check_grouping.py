"""``check_grouping`` refuses exactly what no partition satisfies: compared with all partitions."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.partitions import all_partitions, names, satisfies

from mvlpt.errors import GraphError
from mvlpt.graph.grouping.partition import METHODS, check_grouping

TASKS = names(5)
PARTITIONS = list(all_partitions(TASKS))
PAIRS = list(itertools.combinations(TASKS, 2))
links = st.lists(st.sampled_from(PAIRS), max_size=3)
limit = st.none() | st.integers(1, 6)


@given(
    number=limit,
    size=limit,
    classes=st.none() | st.tuples(st.integers(1, 14), st.lists(st.integers(1, 6), min_size=5, max_size=5)),
    together=links,
    apart=links,
    method=st.sampled_from(METHODS),
)
@settings(max_examples=400, deadline=None)
def test_exactly_the_impossible_is_refused(number, size, classes, together, apart, method):
    limits = {"groups": number, "max_size": size, "must_link": together, "cannot_link": apart}
    if classes is not None:
        limits |= {"max_classes": classes[0], "classes": dict(zip(TASKS, classes[1], strict=True))}
    kept = [partition for partition in PARTITIONS if satisfies(partition, **limits)]
    if method == "all":
        kept = [partition for partition in kept if len(partition) == 1]
    if method == "single":  # a task, or a block of tasks that must share a group, for each group
        most = max(len(partition) for partition in PARTITIONS if satisfies(partition, must_link=together))
        kept = [partition for partition in kept if len(partition) == most]
    if kept:
        check_grouping(TASKS, method=method, **limits)
    else:
        with pytest.raises(GraphError):
            check_grouping(TASKS, method=method, **limits)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "exat"}, "did you mean 'exact'"),
        ({"threshold": float("inf")}, "threshold is inf"),
        ({"groups": 2.0}, "groups is 2.0"),
        ({"must_link": [["t000", "t9"]]}, "must_link has no task 't9'"),
        ({"max_classes": 4}, "numbers of classes are not given"),
        ({"max_classes": 4, "classes": [1, 2, 3, 4, 5]}, "'t000' alone has 5 classes"),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(GraphError, match=message):
        check_grouping(TASKS[::-1], **options)
    with pytest.raises(GraphError, match="needs at least one task"):
        check_grouping([])
