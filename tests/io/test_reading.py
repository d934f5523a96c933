"""Reading: every format within bounds, and each refusal one sentence that names file, place and remedy."""

import os
import random
import threading
from datetime import date
from pathlib import Path

import pytest
import yaml
from support.plans import PATIENCE

from mvlpt.errors import ConfigError, DataError, PlanError
from mvlpt.io import check_head, parse_json, parse_yaml, read_bytes, read_json, read_json_lines, read_text, read_yaml
from mvlpt.io import yaml_files as yaml_module


def refused(call, error=DataError):
    with pytest.raises(error) as caught:
        call()
    sentence = str(caught.value)
    assert type(caught.value) is error
    assert "\n" not in sentence
    assert len(sentence) < 600
    return sentence


def test_only_regular_files_of_a_limited_size(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bytes(path) == b"12345"
    assert read_bytes(path, largest=5) == b"12345"
    assert "5 bytes, more than the 4 that are read; take another" in refused(
        lambda: read_bytes(path, largest=4, remedy="take another")
    )
    assert f"{tmp_path} is not a regular file" in refused(lambda: read_bytes(tmp_path))
    assert "/dev/zero is not a regular file" in refused(lambda: read_bytes("/dev/zero"))
    assert "does not exist" in refused(lambda: read_bytes(tmp_path / "none"))
    assert refused(lambda: read_bytes(tmp_path / "none", missing="Make it first")) == "Make it first"
    for name in ("nul\0byte", "half\ud800"):
        assert "cannot be read: no file can have this name" in refused(lambda name=name: read_bytes(tmp_path / name))
    os.symlink(path, tmp_path / "link")
    assert read_bytes(tmp_path / "link") == b"12345"


def test_a_pipe_without_a_writer_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    done = []
    thread = threading.Thread(target=lambda: done.append(refused(lambda: read_text(tmp_path / "pipe"))), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert done
    assert "is not a regular file" in done[0]


def test_a_file_of_the_kernel_that_lies_about_its_size_is_bounded():
    assert "grew beyond the 3 bytes" in refused(lambda: read_bytes("/proc/self/status", largest=3))


def test_text_is_utf8_with_or_without_a_mark(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbfna\xc3\xafve")
    assert read_text(path) == "naïve"
    path.write_bytes(b"na\xefve")
    assert f"{path} cannot be read as UTF-8: byte 2 is wrong" in refused(lambda: read_text(path))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"a": 1, 2}', "column 10: Expecting property name"),
        (b'{\n"a" 1}', "line 2, column 5: Expecting ':' delimiter"),
        (b"", "column 1: Expecting value"),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
        (b"[" * 100_000, "more than 64 lists or objects are nested in each other"),
        (b"[" * 65 + b"]" * 65, "more than 64 lists or objects"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "more than 64 lists or objects"),
        (b"1" * 5000, "a number has too many digits"),
        (b'{"digits": 1, "digits": 2}', "the key 'digits' is given twice"),
    ],
)
def test_json_that_is_refused(tmp_path, content, expected):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    sentence = refused(lambda: read_json(path, error=PlanError, remedy="plan again"), PlanError)
    assert sentence.startswith(f"{path} is not readable JSON: ")
    assert expected in sentence
    assert sentence.endswith("; plan again")


def test_json_that_is_read():
    assert parse_json("[" * 64 + "]" * 64, "x")
    assert parse_json(b'\xef\xbb\xbf{"a": [1, 2.5, null, "\\ud800"]}', "x") == {"a": [1, 2.5, None, "\ud800"]}
    assert parse_json("[[[]]]" + " " * 10, "x") == [[[]]]
    assert parse_json("[NaN]", "x")[0] != 0
    assert "NaN is not a number" in refused(lambda: parse_json("[NaN]", "x", constants=False))
    wide = "[" + ",".join(["[1]"] * 1000) + "]"
    assert len(parse_json(wide, "x")) == 1000


def test_json_lines_name_the_line(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": "\u2028"}\n\n[2]\n')
    assert list(read_json_lines(path)) == [(1, {"a": "\u2028"}), (3, [2])]
    path.write_text("1\n{\n")
    assert f"{path}, line 2 is not readable JSON: column 2" in refused(
        lambda: list(read_json_lines(path, error=DataError))
    )


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture(params=["libyaml", "PyYAML"])
def parser(request, monkeypatch):
    """Which parser is asked first; PyYAML's own is there always."""
    if request.param == "PyYAML":
        monkeypatch.setattr(yaml_module, "_BY_LIBYAML", None)
    elif yaml_module._BY_LIBYAML is None:
        pytest.skip("this PyYAML has no libyaml")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: [", "line 1, column 5: "),
        ("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' is given twice"),
        ("x:\n  a: 1\n  'a': 3", "line 3, column 3: the key 'a' is given twice"),
        (LAUGHS, "expands to more than"),
        ("a: &a [1, *a]", "line 1, column 11: the alias '*a' contains itself"),
        ("a: &a {b: *a}", "the alias '*a' contains itself"),
        ("[" * 65 + "]" * 65, "column 65: more than 64 lists or mappings are nested"),
        ("[" * 50_000, "more than 64 lists or mappings are nested"),
        ("a: 2024-13-45", "line 1, column 4: month must be in 1..12"),
        ("a: " + "1" * 5000, "line 1, column 4: a number has too many digits"),
        ("!!python/object/apply:os.system ['false']", "line 1, column 1: could not determine a constructor"),
        ("a: \x00", "special characters are not allowed"),
        ("a: *b", "found undefined alias"),
        ("a: !!int digits", "line 1, column 4: invalid literal for int() with base 10: 'digits'"),
        ("[a]: 1", "unhashable key"),
        ("a: 1\n---\nb: 2", "single document"),
        ("a:\tb", "line 1, column 3: while scanning for the next token, found character"),
    ],
)
@pytest.mark.usefixtures("parser")
def test_yaml_that_is_refused(tmp_path, content, expected):
    path = tmp_path / "x.yaml"
    path.write_text(content)
    sentence = refused(lambda: read_yaml(path, remedy="correct it"), ConfigError)
    assert sentence.startswith(f"{path} is not valid YAML: ")
    assert expected in sentence
    assert sentence.endswith("; correct it")


@pytest.mark.usefixtures("parser")
def test_yaml_that_is_read():
    text = "a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n  k: 2\nd: [no, 01, 2024-01-02]\n"
    assert parse_yaml(text, "x") == {
        "a": {"k": 1}, "b": {"k": 1}, "c": {"k": 2}, "d": [False, 1, date(2024, 1, 2)],
    }  # fmt: skip
    assert parse_yaml(text, "x", strings=True)["d"] == ["no", "01", "2024-01-02"]
    assert parse_yaml("", "x") is None
    assert parse_yaml("[" * 64 + "]" * 64, "x")
    assert "given twice" in refused(lambda: parse_yaml("a: 1\na: 2", "x", strings=True, error=DataError))


def test_both_parsers_read_the_same_of_damaged_files():
    """Shipped files with characters that mean something to YAML put in at random places."""
    draw, configs = random.Random(0), Path(__file__).resolve().parents[2] / "configs"
    texts = [file.read_text() for file in sorted(configs.rglob("*.yaml"))]

    def damaged(text):
        for _ in range(draw.randint(1, 3)):
            place = draw.randrange(len(text))
            text = text[:place] + draw.choice("{}[]:,-#&*!|>'\"%@`\t\n  ?~ab1.") + text[place + draw.randrange(3) :]
        return text

    def value(load):
        try:
            return load()
        except yaml.YAMLError as problem:
            return type(problem)

    refused = 0
    for text in [*texts, *(damaged(draw.choice(texts)[:400]) for _ in range(300))]:
        found = value(lambda text=text: yaml_module._load(text, strings=False))
        assert found == value(lambda text=text: yaml.load(text, Loader=yaml_module._SafeLoader)), text
        refused += isinstance(found, type)
    assert 50 < refused < 250


def test_the_size_after_expansion_is_counted_once_per_alias(monkeypatch):
    monkeypatch.setattr(yaml_module, "MOST_NODES", 12)
    # the list: 3 + 1 nodes; the mapping: 1 + 2 keys + 4 + 4 = 11
    assert parse_yaml("a: &a [1, 2, 3]\nb: *a", "x") == {"a": [1, 2, 3], "b": [1, 2, 3]}
    assert "more than 12 values" in refused(lambda: parse_yaml("a: &a [1, 2, 3]\nb: *a\nc: *a", "x"), ConfigError)


def test_heads_of_records():
    def check(content, **options):
        return check_head(content, "f", "a plan", **{"format": "mvlpt-plan", "version": 1, **options})

    good = {"format": "mvlpt-plan", "version": 1, "jobs": []}
    assert check(good) is good
    for content in (None, [], "x", {}, {"format": "other", "version": 1}, {"version": 1}):
        assert "f is not a plan: it does not say 'format: mvlpt-plan'; make it again" in refused(
            lambda content=content: check(content)
        )
    for version in (2, None, "1", True, 1.5):
        sentence = refused(lambda version=version: check({**good, "version": version}))
        assert f"f is a plan of version {version!r}, but this program reads version 1" in sentence
    assert check({"format": 3}, format=3, version=None)
    assert "of version 4, but this program reads version 3" in refused(
        lambda: check({"format": 4}, format=3, version=None)
    )
    assert "of version '\\x1b[2J'" in refused(lambda: check({**good, "version": "\x1b[2J"}))
