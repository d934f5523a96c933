"""Published few-shot samples: pickles that run code or take memory, rows that are none, paths that lead elsewhere."""

import json
import struct

import pytest
from support import hostile_pickles as p
from support.attacks import Attack, check
from support.hostile_texts import CLEAR, DEEP_JSON, DIGITS, TITLE

pytestmark = pytest.mark.hostile

DATUM = p.glob("dassl.data.datasets.base_dataset", "Datum")
NEWOBJ, APPEND, EMPTY_LIST, DUP, LONG4, BYTEARRAY8 = b"\x81", b"a", b"]", b"2", b"\x8b", b"\x96"
HARMLESS = (0, 2)


def fields(**values):
    """Pushes an item of Dassl's whose fields are pushed by ``values``."""
    known = {
        "_impath": p.text("images.zip@wind/bx.png"),
        "_label": p.number(13),
        "_classname": p.text("wind"),
        **values,
    }
    state = b"".join(p.text(name) + value + p.SETITEM for name, value in known.items())
    return DATUM + p.EMPTY_TUPLE + NEWOBJ + p.EMPTY_DICT + state + p.BUILD


def sample(*items):
    """A whole pickle of ``{"train": [item, ...]}``."""
    listed = EMPTY_LIST + b"".join(item + APPEND for item in items)
    return p.PROTO + p.EMPTY_DICT + p.text("train") + listed + p.SETITEM + p.STOP


def doubled(times):
    """Pushes a list of two lists of two lists ..., each of them the same."""
    return EMPTY_LIST + b"".join(b"q" + b"\0" + EMPTY_LIST + b"h\0" + APPEND + b"h\0" + APPEND for _ in range(times))


def itself():
    """Pushes a list that is its own element."""
    return EMPTY_LIST + b"q\0" + b"h\0" + APPEND


PICKLES = {
    "system": sample(p.called("os", "system", p.text("touch pwned"))),
    "system_label": sample(fields(_label=p.called("posix", "system", p.text("touch pwned")))),
    "eval_name": sample(fields(_classname=p.called("builtins", "eval", p.text("open('pwned', 'w')")))),
    "getattr": sample(fields(_label=p.called("builtins", "getattr", DATUM + p.text("__globals__")))),
    "slots": sample(fields() + p.NONE + p.EMPTY_DICT + p.text("_label") + p.number(3) + p.SETITEM + p.TUPLE2 + p.BUILD),
    "class_state": sample(DATUM + p.EMPTY_DICT + p.text("fields") + p.number(3) + p.SETITEM + p.BUILD),
    "dict_state": sample(p.glob("builtins", "dict") + p.EMPTY_DICT + p.text("get") + p.NONE + p.SETITEM + p.BUILD),
    "persistent": sample(p.text("x") + p.PERSISTENT),
    "extension": sample(b"\x82\x01"),
    "bytearray": sample(fields(_label=p.called("builtins", "bytearray", p.number(2**34)))),
    "bytearray_code": b"\x80\x05" + BYTEARRAY8 + struct.pack("<Q", 2**34) + p.STOP,
    "bytes_long": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + p.STOP,
    "frame_long": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + p.STOP,
    "number_long": sample(fields(_label=LONG4 + struct.pack("<i", 2**20) + b"\x01" * 2**20)),
    "number_negative": sample(fields(_label=p.number(-1))),
    "number_numpy": sample(fields(_label=p.called("numpy", "dtype", p.text("O")))),
    "text_grows": sample(*[p.called("_codecs", "encode", p.text("x" * 2**20) if n == 0 else b"h\0") for n in range(2)]),
    "label_doubled": sample(fields(_label=doubled(60))),
    "path_doubled": sample(fields(_impath=doubled(60))),
    "row_doubled": sample(doubled(60)),
    "row_itself": sample(itself()),
    "label_itself": sample(fields(_label=itself())),
    "dicts_many": p.PROTO + p.EMPTY_DICT * (2**22 - 100) + p.STOP,
    "marks_many": p.PROTO + p.MARK * 2**20 + p.STOP,
    "longer_than_read": p.PROTO + p.NONE * 2**22 + p.STOP,
    "sets": sample(b"\x8f"),
    "train_twice": p.PROTO + p.EMPTY_DICT + p.text("train") + EMPTY_LIST + p.SETITEM + p.STOP,
    "train_none": p.PROTO + p.EMPTY_DICT + p.text("train") + p.NONE + p.SETITEM + p.STOP,
    "no_dict": p.PROTO + fields() + p.STOP,
    "empty": b"",
    "cut": sample(fields())[:-20],
    "text": b"hello\n",
    "path_dots": sample(fields(_impath=p.text("../../../../etc/passwd"))),
    "path_absolute": sample(fields(_impath=p.text("/etc/passwd"))),
    "path_long": sample(fields(_impath=p.text("a/" * 3_000))),
    "path_parts": sample(fields(_impath=p.text("/" * 4_000))),
    "path_nul": sample(fields(_impath=p.text("wind\0/bx.png"))),
    "path_surrogate": sample(fields(_impath=p.text("\ud800/bx.png"))),
    "name_controls": sample(fields(_classname=p.text(TITLE + CLEAR))),
    "name_long": sample(fields(_classname=p.text("x" * 1_000_000))),
}
LINES = {
    "deep": DEEP_JSON,
    "digits": '{"path": "a", "label": ' + DIGITS + "}",
    "label_huge": '{"path": "images.zip@wind/bx.png", "label": 1000000000000}',
    "label_object": '{"path": "images.zip@wind/bx.png", "label": {"a": 1}}',
    "label_flag": '{"path": "images.zip@wind/bx.png", "label": true}',
    "row_list": "[]",
    "row_number": "3",
    "key_twice": '{"path": "a", "path": "b"}',
    "split_controls": json.dumps({"path": "a", "split": TITLE + CLEAR}),
    "path_controls": json.dumps({"path": TITLE + CLEAR}),
    "surrogate": '{"path": "\\ud800"}',
    "rows_many": '{"path": "a"}\n' * 60_000,
    "utf16": '{"path": "a"}'.encode("utf-16"),
    "nothing": "\n\n",
}


def written(name, content):
    def make(folder):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return ["@sample", folder / name]

    return make


@pytest.mark.parametrize("name", PICKLES)
def test_pickles(name, attack_server, tmp_path):
    check(attack_server, Attack(name, written("s.pkl", PICKLES[name]), "s.pkl"), tmp_path)


@pytest.mark.parametrize("name", LINES)
def test_lines(name, attack_server, tmp_path):
    check(attack_server, Attack(name, written("s.jsonl", LINES[name]), "s.jsonl"), tmp_path)


NAMES = {
    "braces": "{task.__class__}.pkl",
    "braces_index": "{0}.pkl",
    "nul": "a\0b.pkl",
    "device": "/dev/zero",
    "pipe": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files(name, attack_server, tmp_path):
    import os

    def make(folder):
        if NAMES[name] is None:
            os.mkfifo(folder / "p.pkl")
        return ["@sample", NAMES[name] or folder / "p.pkl"]

    check(attack_server, Attack(name, make), tmp_path)
