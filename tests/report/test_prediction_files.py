"""Prediction files: written, joined and checked, against files that plain ``json`` reads and writes."""

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest

from mvlpt.errors import DataError
from mvlpt.io import JsonStream
from mvlpt.report.leaderboard import FIELDS, Header, TaskShape, benchmark_shapes, merge, validate, write_predictions

SHAPES = {"first": TaskShape(6, 3), "second": TaskShape(4, 2), "many": TaskShape(5, 4, multi_label=True)}


def probabilities(shape, seed=0):
    """Rows that sum to one, or for several labels need not."""
    rows = np.random.default_rng(seed).random((shape.images, shape.classes))
    return rows if shape.multi_label else rows / rows.sum(axis=1, keepdims=True)


def header(name, seed=0, **changes):
    return Header(
        **{
            "model_name": "ours",
            "dataset_name": name,
            "num_trainable_params": 10 + seed,
            "num_params": 100,
            "num_visual_params": 60,
            "num_backbone_params": 90,
            "n_shot": 5,
            "rnd_seeds": (seed,),
            **changes,
        }
    )


@pytest.fixture
def folder(tmp_path):
    """A whole submission in single files."""
    for name, shape in SHAPES.items():
        for seed in (0, 1, 2):
            write_predictions(tmp_path / f"seed{seed}_{name}.json", header(name, seed), probabilities(shape, seed))
    return tmp_path


def edit(path, change):
    """Rewrites a file as a person's own script might."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content, indent=1))


def test_a_file_has_the_benchmarks_fields_in_order_and_six_decimals(tmp_path):
    rows = probabilities(TaskShape(6, 3))
    write_predictions(tmp_path / "x.json", header("first"), rows)
    content = json.loads((tmp_path / "x.json").read_text())
    assert tuple(content) == (*FIELDS, "predictions")
    assert content["rnd_seeds"] == [0]
    assert content["predictions"] == [np.round(rows, 6).tolist()]


def test_a_merged_zip_equals_the_rule_done_in_memory(folder):
    target, verdict = merge(folder, shapes=SHAPES)
    assert verdict.problems == []
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["all_predictions.json"]
        assert archive.infolist()[0].compress_type == zipfile.ZIP_DEFLATED
        merged = json.loads(archive.read("all_predictions.json"))
    assert [entry["dataset_name"] for entry in merged["data"]] == ["first", "many", "second"]
    for entry in merged["data"]:
        files = [json.loads((folder / f"seed{seed}_{entry['dataset_name']}.json").read_text()) for seed in (0, 1, 2)]
        assert entry["predictions"] == [file["predictions"][0] for file in files]
        assert entry["rnd_seeds"] == [0, 1, 2]
        assert entry["num_trainable_params"] == 11.0
        assert isinstance(entry["num_trainable_params"], float)
        assert tuple(entry) == (*FIELDS, "predictions")
    assert validate(target, SHAPES).problems == []
    assert merge(folder, shapes=SHAPES)[1].problems == []  # the zip in the folder is no stray


def test_twenty_data_sets_make_the_benchmark():
    shapes = benchmark_shapes()
    assert len(shapes) == 20
    assert sum(shape.images * shape.classes for shape in shapes.values()) == 13_507_840
    assert [name for name, shape in shapes.items() if shape.multi_label] == ["voc-2007-classification"]


def spoil_row(content):
    content["predictions"][0][2] = [0.5, 0.2, 0.2]


def swap_range(content):
    content["predictions"][0][1] = [1.5, -0.5, 0.0]


SPOILED = {
    "missing": (
        lambda f: (f / "seed1_first.json").unlink(),
        "first: its seeds are 0, 2; the leaderboard requires 0, 1, 2",
    ),
    "data set missing": (
        lambda f: [file.unlink() for file in f.glob("*_second.json")],
        "1 of 3 data sets are missing: second",
    ),
    "sum": (
        lambda f: edit(f / "seed1_first.json", spoil_row),
        "seed 1, row 3 sums to 0.9; the rows of first must sum to 1",
    ),
    "range": (lambda f: edit(f / "seed0_first.json", swap_range), "numbers range from -0.5 to 1.5"),
    "rows": (
        lambda f: edit(f / "seed0_first.json", lambda c: c["predictions"][0].pop()),
        "has 5 rows a seed; the test split has 6",
    ),
    "width": (
        lambda f: edit(f / "seed2_first.json", lambda c: c["predictions"][0][0].append(0)),
        "has rows of 4 numbers; first has 3 classes",
    ),
    "field": (
        lambda f: edit(f / "seed2_first.json", lambda c: c.update(num_params=7)),
        "first: its files differ in num_params: 100, 7",
    ),
    "lacks": (
        lambda f: edit(f / "seed2_first.json", lambda c: c.pop("n_shot")),
        "has no n_shot; is it a prediction file?",
    ),
    "stray json": (lambda f: (f / "notes.json").write_text("{}"), "notes.json: has no model_name"),
    "stray file": (lambda f: (f / "notes.txt").write_text("x"), "notes.txt: is not a prediction file (*.json)"),
    "twice": (
        lambda f: (f / "copy.json").write_bytes((f / "seed1_first.json").read_bytes()),
        "first: its seeds are 0, 1, 1, 2",
    ),
    "name": (lambda f: edit(f / "seed2_first.json", lambda c: c.update(dataset_name="firts")), "did you mean 'first'?"),
    "shots": (
        lambda f: [edit(p, lambda c: c.update(n_shot=20)) for p in f.glob("*_many.json")],
        "n_shot is 20; the leaderboard accepts 0",
    ),
    "mixed": (
        lambda f: [edit(p, lambda c: c.update(n_shot=-1)) for p in f.glob("*_many.json")],
        "n_shot differs between data sets: -1, 5",
    ),
    "seed type": (
        lambda f: edit(f / "seed2_first.json", lambda c: c.update(rnd_seeds="2")),
        "rnd_seeds is '2', but must be a list of whole numbers",
    ),
    "shot type": (
        lambda f: edit(f / "seed2_first.json", lambda c: c.update(n_shot=[5])),
        "n_shot is [5], but must be a whole number",
    ),
    "NaN": (
        lambda f: edit(f / "seed0_second.json", lambda c: c["predictions"][0][0].__setitem__(0, float("nan"))),
        "a row holds something that is not a number",
    ),
    "text": (
        lambda f: edit(f / "seed0_second.json", lambda c: c["predictions"][0][0].__setitem__(0, "0.5")),
        "a row holds something that is not a number",
    ),
    "huge": (
        lambda f: (f / "seed0_second.json").write_text('{"predictions":[[[1e999,0]]]}'),
        "seed0_second.json: has no",
    ),
    "cut": (
        lambda f: (f / "seed0_second.json").write_bytes((f / "seed0_second.json").read_bytes()[:-9]),
        "seed0_second.json, byte",
    ),
    "repeated": (
        lambda f: (f / "seed0_second.json").write_text('{"n_shot":5,"n_shot":5}'),
        "the field 'n_shot' is given twice",
    ),
    "more": (lambda f: (f / "seed0_second.json").write_text("{} {}"), "there is content after the end"),
    "nested": (
        lambda f: (f / "seed0_second.json").write_text('{"a":' + "[" * 100_000),
        "this is not JSON, or it is cut short",
    ),
    "binary": (lambda f: (f / "seed0_second.json").write_bytes(b"\xff\xfe\x00"), "'{' is missing"),
}


@pytest.mark.parametrize("kind", SPOILED)
def test_every_mistake_is_named_and_nothing_is_written(folder, kind):
    spoil, expected = SPOILED[kind]
    spoil(folder)
    target, verdict = merge(folder, shapes=SHAPES)
    assert any(expected in problem for problem in verdict.problems), verdict.problems
    assert not target.exists()


def test_a_part_can_be_merged_on_demand(folder):
    for file in folder.glob("*_second.json"):
        file.unlink()
    target, verdict = merge(folder, shapes=SHAPES, partial=True)
    assert verdict.problems == []
    assert len(validate(target, SHAPES).problems) == 1


def test_zips_of_others_are_judged_too(folder, tmp_path):
    entries = []
    for name, shape in SHAPES.items():
        files = [json.loads((folder / f"seed{seed}_{name}.json").read_text()) for seed in (2, 0, 1)]
        entries.append({**files[0], "rnd_seeds": [2, 0, 1], "predictions": [file["predictions"][0] for file in files]})
        entries[-1] = dict(reversed(entries[-1].items()))  # another order of fields is JSON as well
        assert shape.images
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("all_predictions.json", json.dumps({"data": [*entries, entries[0]]}))
        archive.writestr("../evil.json", "{}")
    problems = validate(path, SHAPES).problems
    assert f"{path}: a submission contains only all_predictions.json, not '../evil.json'" in problems
    assert "first: appears 2 times" in problems
    assert "second: its seeds are 2, 0, 1; the leaderboard requires 0, 1, 2" in problems
    assert len(problems) == 6
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".json"] * 9 + [".zip"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"no zip", "cannot be opened, it may be truncated: File is not a zip"),
        (None, "does not exist"),
        ("empty", "has no 'all_predictions.json'"),
    ],
)
def test_zips_that_cannot_be_read(tmp_path, content, expected):
    path = tmp_path / "x.zip"
    if content == "empty":
        zipfile.ZipFile(path, "w").close()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=expected):
        validate(path, SHAPES)


def test_a_damaged_zip_is_one_sentence(folder):
    target, _ = merge(folder, shapes=SHAPES)
    content = bytearray(target.read_bytes())
    content[90] ^= 0xFF
    target.write_bytes(content)
    with pytest.raises(DataError, match="all_predictions"):
        validate(target, SHAPES)


def test_memory_stays_small_in_both_directions(tmp_path):
    shape = TaskShape(4_000, 50)  # 200,000 numbers: 6.5 MB as lists of floats
    rows = np.full((shape.images, shape.classes), 0.02, dtype=np.float32)
    tracemalloc.start()
    write_predictions(tmp_path / "x.json", header("big", n_shot=-1), rows)
    target, verdict = merge(tmp_path, shapes={"big": shape})
    assert verdict.problems == []
    assert validate(target, {"big": shape}).problems == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_a_stream_gives_what_json_gives_at_every_cut(monkeypatch):
    content = {"a": [1, {"ü": '"]'}], "rows": [[0.5, 1e-06], [1, 2.25]], "n": -12.5e3}
    text = json.dumps(content, indent=1).encode()
    for size in (1, 2, 3, 7, 1000):
        monkeypatch.setattr("mvlpt.io.json_stream.CHUNK", size)
        stream, found = JsonStream(io.BytesIO(text), "x"), {}
        for key in stream.members():
            if key == "rows":
                found[key] = [json.loads(stream.row_text()) for _ in stream.elements()]
            else:
                found[key] = stream.value()
        stream.end()
        assert found == content
