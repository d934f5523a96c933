"""Indices, splits and class lists of data sets, and texts in odd encodings."""

import json
import os
import struct
import zlib

import pytest
from support.attacks import Attack, check
from support.hostile_data import folder_task, png
from support.hostile_texts import CLEAR, DEEP_JSON, DIGITS, TITLE

pytestmark = pytest.mark.hostile


def read(name, content, reader):
    def make(folder):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return [reader, folder / name]

    return make


TEXTS = {
    "yaml_utf16": ("x.yaml", "a: b".encode("utf-16"), 2),
    "yaml_utf32": ("x.yaml", "a: b".encode("utf-32"), 2),
    "yaml_latin1": ("x.yaml", b"a: \xe4", 2),
    "yaml_nul": ("x.yaml", b"a: \0", 2),
    "yaml_bom": ("x.yaml", b"\xef\xbb\xbfa: b", 0),
    "yaml_surrogate": ("x.yaml", 'a: "\\ud800"', (0, 2)),
    "yaml_merge_itself": ("x.yaml", "a: &a\n  <<: *a\n", 2),
    "yaml_merge_text": ("x.yaml", "a: {<<: b}\n", 2),
    "yaml_merge_many": ("x.yaml", "a: &a {x: 1}\nb: {<<: [" + ", ".join(["*a"] * 2000) + "]}\n", (0, 2)),
    "yaml_keys_many": ("x.yaml", "".join(f"k{i}: v\n" for i in range(60_000)), 2),
    "yaml_long": ("x.yaml", "#" * 6_000_000, 2),
    "yaml_year": ("x.yaml", "a: 99999-01-01\nb: 0000-00-00\n", (0, 2)),
    "yaml_time_zone": ("x.yaml", "a: 2001-01-01 00:00:00 +99:99\n", 2),
    "yaml_octal": ("x.yaml", "a: 0o9\nb: 09\nc: 0x\nd: 0b2\n", (0, 2)),
    "yaml_float": ("x.yaml", "a: 1e99999\nb: -.inf\nc: .nan\nd: 1_0.0_1\n", 0),
    "yaml_base60": ("x.yaml", "a: " + ":".join(["59"] * 4000) + "\n", (0, 2)),
    "yaml_tag_long": ("x.yaml", f"a: !<{'t' * 5000}> b\n", 2),
    "yaml_tag_controls": ("x.yaml", 'a: !!"\x85" b\n', 2),
    "yaml_directive": ("x.yaml", "%YAML 9.9\n---\na: b\n", 2),
    "yaml_module": ("x.yaml", "a: !!python/module:os\n", 2),
    "yaml_object": ("x.yaml", "a: !!python/object/new:os.system [touch pwned]\n", 2),
    "yaml_tuple": ("x.yaml", "? !!python/tuple [a]\n: b\n", 2),
    "yaml_twice_deep": ("x.yaml", "a: {b: {c: 1, d: 2, c: 3}}\n", 2),
    "yaml_twice_quoted": ("x.yaml", "a: 1\n'a': 2\n", 2),
    "json_utf16": ("x.json", '{"a": 1}'.encode("utf-16"), 2),
    "json_twice": ("x.json", '{"a": 1, "a": 2}', 2),
    "json_twice_deep": ("x.json", '[{"a": {"b": 1, "b": 2}}]', 2),
    "json_many": ("x.json", "[" + "[]," * 6_000_000 + "[]]", 2),
    "json_numbers": ("x.json", "[" + "1," * 9_000_000 + "1]", 2),
    "json_objects": ("x.json", "[" + '{"a":0},' * 300_000 + "{}]", (0, 2)),
    "json_emoji": ("x.json", '"' + "😀" * 3_000_000 + '"', (0, 2)),
    "json_surrogate": ("x.json", '{"a": "\\ud800"}', 0),
    "json_trailing": ("x.json", '{"a": 1} {"b": 2}', 2),
    "json_exponent": ("x.json", '{"a": 1e999, "b": -1e999}', 0),
    "json_comment": ("x.json", '{"a": 1} // b', 2),
}
LARGE = {
    "json_sparse": ("x.json", 2**33),
    "yaml_sparse": ("x.yaml", 2**33),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_of_odd_forms(name, attack_server, tmp_path):
    file, content, status = TEXTS[name]
    reader = "@yaml_file" if file.endswith("yaml") else "@json_file"
    check(attack_server, Attack(name, read(file, content, reader), file if status == 2 else "", status), tmp_path)


@pytest.mark.parametrize("name", LARGE)
def test_files_of_eight_gigabytes(name, attack_server, tmp_path):
    file, size = LARGE[name]

    def make(folder):
        with open(folder / file, "wb") as handle:
            handle.truncate(size)
        return ["@yaml_file" if file.endswith("yaml") else "@json_file", folder / file]

    check(attack_server, Attack(name, make, file), tmp_path)


def coop(split, change=lambda root: None):
    """CoOp's EuroSAT with one class and a split file."""

    def make(folder):
        root = folder / "d" / "eurosat"
        for number in range(3):
            png(root / "2750" / "a" / f"{number}.png")
        rows = [[f"a/{number}.png", 0, "a"] for number in range(3)]
        content = split if isinstance(split, str) else json.dumps(
            {"train": rows[:1], "val": rows[1:2], "test": rows[2:], **split})  # fmt: skip
        (root / "split_zhou_EuroSAT.json").write_text(content)
        change(root)
        return ["tasks", "check", "EuroSAT", "--root", "d"]

    return make


def out(root):
    png(root.parent.parent / "secret" / "s.png")
    return root.parent.parent / "secret"


SPLITS = {
    "label_huge": {"train": [["a/0.png", 10**9, "a"]]},
    "label_huger": {"train": [["a/0.png", 10**30, "a"]]},
    "label_negative": {"train": [["a/0.png", -1, "a"]]},
    "label_flag": {"train": [["a/0.png", True, "b"]]},
    "label_text": {"train": [["a/0.png", "0", "a"]]},
    "label_infinite": {"train": [["a/0.png", float("inf"), "a"]]},
    "row_short": {"train": [["a/0.png"]]},
    "row_object": {"train": [{"a": 1}]},
    "path_dots": {"train": [["../../../secret/s.png", 0, "a"]]},
    "path_absolute": {"train": [["/etc/passwd", 0, "a"]]},
    "path_archive": {"train": [["a.zip@../../x", 0, "a"]]},
    "path_windows": {"train": [["C:\\x.png", 0, "a"]]},
    "path_nul": {"train": [["a\0b", 0, "a"]]},
    "path_long": {"train": [["a/" * 5000, 0, "a"]]},
    "path_controls": {"train": [[TITLE + CLEAR, 0, "a"]]},
    "names_differ": {"val": [["a/1.png", 0, CLEAR]]},
    "train_object": {"train": {"a": 1}},
    "deep": DEEP_JSON,
    "digits": '{"train": [["a/0.png", ' + DIGITS + ', "a"]], "val": [], "test": []}',
}


@pytest.mark.parametrize("name", SPLITS)
def test_split_files(name, attack_server, tmp_path):
    check(attack_server, Attack(name, coop(SPLITS[name]), "EuroSAT"), tmp_path)


LINKS = {
    "image": lambda root: os.symlink(out(root) / "s.png", root / "2750/a/s.png"),
    "class": lambda root: os.symlink(out(root), root / "2750/b"),
}


@pytest.mark.parametrize("name", LINKS)
def test_links_out_of_a_benchmark(name, attack_server, tmp_path):
    path = {"image": "a/s.png", "class": "b/s.png"}[name]
    attack = Attack(name, coop({"train": [[path, 0, "a"]]}, LINKS[name]), "leads out")
    check(attack_server, attack, tmp_path)


@pytest.mark.parametrize("name", LINKS)
def test_links_are_followed_where_the_user_says_so(name, attack_server, tmp_path):
    path = {"image": "a/s.png", "class": "b/s.png"}[name]
    words = coop({"train": [[path, 0, "a"]]}, LINKS[name])(tmp_path)
    outcome = attack_server.run(words, tmp_path, env={"MVLPT_FOLLOW_LINKS": "1"})
    assert outcome.status in (0, 1), outcome
    assert "leads out" not in outcome.err, outcome


def matlab(element):
    def change(root):
        flowers = root.parent / "oxford_flowers"
        png(flowers / "jpg" / "image_00001.png")
        (flowers / "cat_to_name.json").write_text('{"1": "a"}')
        (flowers / "imagelabels.mat").write_bytes(b"MATLAB 5.0".ljust(124) + b"\0\1IM" + element)

    def make(folder):
        coop({}, change)(folder)
        return ["tasks", "check", "OxfordFlowers", "--root", "d"]

    return make


PACKED = zlib.compress(bytes(2**26))
MATLAB = {
    "bomb": struct.pack("<II", 15, len(PACKED)) + PACKED,
    "noise": bytes(range(256)),
    "dimensions": struct.pack("<IIIIIIIIii", 14, 2**20, 6, 8, 6, 0, 5, 8, 2**30, 2**30) + bytes(64),
    "version_7": b"\x89HDF\r\n\x1a\n" + bytes(100),
}


@pytest.mark.parametrize("name", MATLAB)
def test_matlab_files(name, attack_server, tmp_path):
    check(attack_server, Attack(name, matlab(MATLAB[name]), "imagelabels.mat"), tmp_path)


CLASSES = {
    "json_deep": ("c.json", DEEP_JSON),
    "json_numbers": ("c.json", "[1, [2, 3], {}]"),
    "json_twice": ("c.json", '["a", "a"]'),
    "text_many": ("c.txt", "".join(f"{i}\n" for i in range(150_000))),
    "text_long": ("c.txt", "x" * 5_000_000),
    "text_utf16": ("c.txt", "a\nb\n".encode("utf-16")),
    "text_controls": ("c.txt", f"{TITLE}\n{CLEAR}\n"),
    "folder": ("c.txt", None),
}


@pytest.mark.parametrize("name", CLASSES)
def test_class_lists(name, attack_server, tmp_path):
    file, content = CLASSES[name]

    def make(folder):
        folder_task(folder / "t")
        if content is None:
            (folder / file).mkdir()
        else:
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        (folder / "t.yaml").write_text(f"images: t\nclasses: {file}\n")
        return ["tasks", "check", "t.yaml"]

    check(attack_server, Attack(name, make, ""), tmp_path)


ROOTS = {
    "images_root": "images: /\n",
    "images_proc": "images: /proc\n",
    "images_dev": "images: /dev/fd\n",
    "images_file": "images: t/a/0.png\n",
    "images_home": "images: ~root/../../proc/self\n",
    "manifest_proc": "images: t\nmanifest: /proc/self/mem\n",
    "manifest_folder": "images: t\nmanifest: t\n",
    "classes_self": "images: t\nclasses: t.yaml\n",
}


@pytest.mark.parametrize("name", ROOTS)
def test_folders_of_the_system(name, attack_server, tmp_path):
    def make(folder):
        folder_task(folder / "t")
        (folder / "t.yaml").write_text(ROOTS[name])
        return ["tasks", "check", "t.yaml"]

    check(attack_server, Attack(name, make, ""), tmp_path)


def test_folders_within_each_other(attack_server, tmp_path):
    def make(folder):
        folder_task(folder / "t")
        here = os.getcwd()
        os.chdir(folder / "t" / "a")
        for _ in range(900):
            os.mkdir("d")
            os.chdir("d")
        os.chdir(here)
        return ["tasks", "check", "t/"]

    outcome = attack_server.run(make(tmp_path), tmp_path)
    assert outcome.status == 2, outcome
    assert "nested" in outcome.err, outcome
