"""Tables of candidate sets: reading, refusing, and predicting from pairs."""

import pytest

from mvlpt.errors import GraphError
from mvlpt.graph.score_table import ScoreTable, predict_from_pairs, read_score_table

TABLE = "pets,cars,eurosat,cost\n90,,,1\n,80.5,,1\n91,81,,1.5\n\n,,70,1\n"


def written(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_is_read(tmp_path):
    table = read_score_table(written(tmp_path, TABLE))
    assert table.tasks == ("pets", "cars", "eurosat")
    assert table.sets == (("pets",), ("cars",), ("pets", "cars"), ("eurosat",))
    assert table.scores[2] == {"pets": 91.0, "cars": 81.0}
    assert table.costs == (1.0, 1.0, 1.5, 1.0)


def test_tabs_a_byte_order_mark_and_short_lines(tmp_path):
    table = read_score_table(written(tmp_path, "\ufeffpets\tcars\n1\n\t2\n 3 \t4\n"), tasks=["cars", "pets"])
    assert table.sets == (("pets",), ("cars",), ("pets", "cars"))
    assert table.costs == (1.0, 1.0, 1.0)


def test_one_set_at_two_costs_is_two_candidates(tmp_path):
    assert len(read_score_table(written(tmp_path, "a,cost\n1,1\n2,0.5\n")).sets) == 2


BAD = [
    ("pets,cars\n", "has no candidate set"),
    ("", "has no candidate set"),
    ("pets,pets\n1,2\n", "line 1,.*'pets' twice"),
    ("pets,cost,cost\n1,2,2\n", "column 'cost' twice"),
    ("pets,dogs\n1,2\n", "unknown column 'dogs'"),
    ("pets,car\n1,2\n", "unknown column 'car'; did you mean 'cars'"),
    ("pets\n1\n", "no column for the task 'cars'"),
    ("pets,cars\n1,2\n2,x\n", "line 3: 'x' in column 'cars' is not a number"),
    ("pets,cars\n1,nan\n", "line 2: 'nan' in column 'cars' is not a number"),
    ("pets,cars\n1,2,3\n", "line 2 has 3 cells, but there are 2 columns"),
    ("pets,cars,cost\n,,1\n", "line 2 has no score"),
    ("pets,cars,cost\n1,2,\n", "line 2 has no cost"),
    ("pets,cars,cost\n1,2,-1\n", "line 2: the cost is -1"),
    ("pets,cars\n1,2\n1,\n5,6\n", r"line 4 repeats the set of line 2 \(pets, cars\)"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[message for _, message in BAD])
def test_a_bad_table_is_refused_with_its_line(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(GraphError, match=message) as caught:
        read_score_table(path, tasks=["pets", "cars"])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_bytes_that_are_no_text(tmp_path):
    with pytest.raises(GraphError, match="No score table at"):
        read_score_table(tmp_path / "none.csv")
    (tmp_path / "raw.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(GraphError, match="cannot be read as UTF-8: byte 0"):
        read_score_table(tmp_path / "raw.csv")


def pairs_table(skip=()):
    scores = [
        {"a": 1.0},
        {"a": 2.0, "b": 4.0},
        {"a": 4.0, "c": 8.0},
        {"b": 6.0, "c": 10.0},
        {"a": 6.0, "d": 1.0},
        {"b": 8.0, "d": 3.0},
        {"c": 12.0, "d": 5.0},
    ]
    scores = [row for row in scores if tuple(row) not in skip]
    costs = tuple(1.0 + 0.25 * ("d" in row) for row in scores)
    return ScoreTable(tuple(map(tuple, scores)), tuple(scores), costs, ("a", "b", "c", "d"))


def test_larger_sets_are_means_over_their_pairs():
    table = predict_from_pairs(pairs_table())
    predicted = dict(zip(table.sets, table.scores, strict=True))
    costs = dict(zip(table.sets, table.costs, strict=True))
    assert predicted["a", "b", "c"] == {"a": 3.0, "b": 5.0, "c": 9.0}
    assert predicted["a", "b", "c", "d"] == {"a": 4.0, "b": 6.0, "c": 10.0, "d": 3.0}
    assert len(table.sets) == 7 + 4 + 1
    assert costs["a", "b", "c"] == 1.0
    assert costs["a", "b", "d"] == 1.25


def test_only_what_was_measured_is_predicted():
    table = predict_from_pairs(pairs_table(skip={("b", "c")}))
    assert [tasks for tasks in table.sets if len(tasks) > 2] == [("a", "b", "d"), ("a", "c", "d")]
    assert max(map(len, predict_from_pairs(pairs_table(), max_size=3).sets)) == 3
    with pytest.raises(GraphError, match="The pair 'b' and 'c' was not measured"):
        predict_from_pairs(pairs_table(skip={("b", "c")}), [["a", "b", "c"]])
    with pytest.raises(GraphError, match="no task 'e'"):
        predict_from_pairs(pairs_table(), [["a", "b", "e"]])
    for few in ([], ["e"], ["a", "b"], ["a", "b", "a"]):
        with pytest.raises(GraphError, match="sets of at least three different tasks"):
            predict_from_pairs(pairs_table(skip={("a", "b")}), [few])
    assert predict_from_pairs(pairs_table(), [["a", "b", "c"], ["c", "b", "a"]]).sets[7:] == (("a", "b", "c"),)
    assert predict_from_pairs(pairs_table(), max_size=0).sets == pairs_table().sets
    with pytest.raises(GraphError, match="has no pair"):
        predict_from_pairs(pairs_table().up_to(1))


def test_measured_sets_stay_as_they_are():
    table = pairs_table()
    scores = {"a": 0.0, "b": 0.0, "c": 0.0}
    more = ScoreTable((*table.sets, tuple(scores)), (*table.scores, scores), (*table.costs, 9.0), table.tasks)
    predicted = predict_from_pairs(more)
    assert predicted.sets.count(("a", "b", "c")) == 1
    assert predicted.scores[predicted.sets.index(("a", "b", "c"))] == scores


def test_too_many_sets_are_refused():
    def all_pairs(count):
        tasks = tuple(f"t{i:02d}" for i in range(count))
        rows = [{one: 1.0, two: 1.0} for i, one in enumerate(tasks) for two in tasks[i + 1 :]]
        return ScoreTable(tuple(map(tuple, rows)), tuple(rows), (1.0,) * len(rows), tasks)

    table = all_pairs(40)
    with pytest.raises(GraphError, match="40 tasks make too many sets"):
        predict_from_pairs(table)
    assert len(predict_from_pairs(table, max_size=3).sets) == 780 + 9880
    for many in (table, all_pairs(120)):
        with pytest.raises(GraphError, match="give a smaller max_size"):
            predict_from_pairs(many, max_size=5)
