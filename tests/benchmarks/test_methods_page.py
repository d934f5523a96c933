"""The table of methods on its page follows from what was measured, what is counted and the file of metadata."""

import csv

from benchmarks import methods_scores, methods_table
from mvlpt.engine import TRAINER_REGISTRY

ROWS = [
    {"method": "TipAdapter", "tasks": 12, "arm": "alone", "shots": 1, "seed": 1, "score": 47.0, "seconds": 0.4},
    {"method": "TipAdapter", "tasks": 12, "arm": "alone", "shots": 1, "seed": 2, "score": 49.0, "seconds": 0.3},
    {"method": "TipAdapter", "tasks": 12, "arm": "grouped", "shots": 1, "seed": 1, "score": 46.5, "seconds": 0.5},
]
ENTRIES = [
    {"trainers": ["TipAdapter"], "trained": "nothing", "code": "none stated", "source": "2207.09519"},
    {"trainers": ["MaPLe"], "trained": "contexts", "paper": "base to new 78.55 (its README)"},
]


def test_the_page_is_up_to_date():
    page = methods_table.PAGE.read_text(encoding="utf-8")
    assert page == methods_table.current_page(), "run python benchmarks/methods_table.py"


def test_every_trainer_has_an_entry_and_every_entry_a_trainer():
    entries = methods_table.read_entries()
    assert methods_table.without_entry(entries) == []
    named = [name for entry in entries for name in entry["trainers"]]
    assert len(named) == len(set(named))
    assert set(named) <= set(TRAINER_REGISTRY.registered_names())
    assert set(methods_table.without_entry(entries[1:])) == set(entries[0]["trainers"])


def test_every_shared_method_is_measured_by_its_first_name():
    first = {entry["trainers"][0] for entry in methods_table.read_entries()}
    assert {method for methods, _ in methods_scores.ORDER for method in methods} <= first


def test_a_cell_says_spread_and_number_of_seeds():
    lines = methods_table.table(ROWS, ENTRIES, {"TipAdapter": 0, "MaPLe": 3555072}).splitlines()
    assert "12 embedded tasks" in lines[0]
    assert "seeds 1 to 2" in lines[1]
    tip, maple = lines[-2:]
    assert "| 0 | 48.0 ± 1.4 | 46.5 (1) | 0.3 |" in tip
    assert "| 3,555,072 | – | – | – | base to new 78.55 (its README) |" in maple


def test_the_table_of_scores_grows_row_by_row_and_only_what_is_missing_is_measured(tmp_path):
    file = tmp_path / "methods.csv"
    for row in ROWS:
        methods_scores.add_row(row, file)
    assert methods_scores.read_table(file) == ROWS
    assert next(csv.reader(file.open())) == list(methods_scores.FIELDS)
    args = methods_scores.argparse.Namespace(methods=["TipAdapter", "MaPLe"], shots=1, seeds=[1, 2])
    missing = methods_scores.missing_units(args, ROWS)
    assert missing == [
        ("MaPLe", "alone", 1),
        ("MaPLe", "grouped", 1),
        ("MaPLe", "alone", 2),
        ("MaPLe", "grouped", 2),
        ("TipAdapter", "grouped", 2),
    ]


def test_methods_without_labels_are_measured_alone_with_all_images():
    row = {"method": "TFUP", "tasks": 12, "arm": "alone", "shots": -1, "seed": 1, "score": 46.0, "seconds": 0.4}
    args = methods_scores.argparse.Namespace(methods=["TFUP", "TPT"], shots=1, seeds=[1])
    assert methods_scores.missing_units(args, [row]) == [("TPT", "alone", 1)]
    text = methods_table.table([*ROWS, row], [{"trainers": ["TFUP"], "trained": "nothing"}], {"TFUP": 0})
    assert ", 1 image a class," in text
    assert "| 0 | 46.0 | – | 0.4 |" in text
