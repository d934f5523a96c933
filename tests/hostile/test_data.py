"""Images, archives, folders and manifests that lie about themselves or lead out of their folder."""

import os
import shutil
import struct

import pytest
from support.attacks import Attack, check
from support.hostile_data import folders, linked_entry, lying_png, manifest, outside, png, read, zipped
from support.hostile_pickles import with_member, zeros_deflated
from support.hostile_texts import CLEAR, DEEP_JSON, TITLE

pytestmark = pytest.mark.hostile

PROBLEM = (1, 2)  # `tasks check` reports problems with status 1
IMAGES = [
    Attack("png_of_gigapixels", read("x.png", lying_png(60_000, 60_000)), "x.png"),
    Attack("png_of_2_31", read("x.png", lying_png(2**31 - 1, 2**31 - 1)), "x.png"),
    Attack("png_flat", read("x.png", lying_png(80_000_000, 1)), "x.png"),
    Attack("gif_noise", read("x.gif", b"GIF89a" + bytes(range(200))), "x.gif"),
    Attack(
        "eps", read("x.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(pwned) run\n"), "x.eps"
    ),
    Attack("tiff_loop", read("x.tif", b"II*\0\x08\0\0\0\x01\0\xfe\0\x04\0\x01\0\0\0\0\0\0\0\x08\0\0\0"), "x.tif"),
    Attack(
        "bmp_negative",
        read("x.bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, -9, 9, 1, 24, 0, 0, 0, 0, 0, 0)),
        "x.bmp",
    ),
    Attack("image_pipe", lambda folder: (os.mkfifo(folder / "x.png"), ["@image", folder / "x.png"])[1], "x.png"),
    Attack(
        "image_zero",
        lambda folder: (os.symlink("/dev/zero", folder / "x.png"), ["@image", folder / "x.png"])[1],
        "x.png",
    ),
]

FOLDERS = [
    Attack("pipe_among_images", folders(lambda root: os.mkfifo(root / "a/x.png")), "x.png", PROBLEM),
    Attack("device_among_images", folders(lambda root: os.symlink("/dev/zero", root / "a/x.png")), "x.png", PROBLEM),
    Attack("class_is_root", folders(lambda root: os.symlink("/", root / "c")), "", PROBLEM),
    Attack("class_is_itself", folders(lambda root: os.symlink(".", root / "a/loop")), "", (0, 1, 2)),
    Attack(
        "link_to_secret", folders(lambda root: os.symlink(outside(root) / "s.png", root / "a/s.png")), "s.png", PROBLEM
    ),
    Attack("folder_link_to_secret", folders(lambda root: os.symlink(outside(root), root / "c")), "", PROBLEM),
    Attack("class_controls", folders(lambda root: png(root / CLEAR.replace("\x9b", "") / "0.png")), "", (0, 1, 2)),
    Attack("class_markup", folders(lambda root: png(root / "[b]c" / "0.png")), "", (0, 1, 2)),
    Attack("file_controls", folders(lambda root: (root / f"a/{TITLE}.png").write_bytes(b"x")), "\\x1b", PROBLEM),
    Attack("file_not_utf8", folders(lambda root: open(os.fsencode(root) + b"/a/\xff.png", "wb").close()), "", PROBLEM),
]

ROWS = "path,label\na/0.png,a\nb/0.png,b\n"
MANIFESTS = [
    Attack("manifest_dots", manifest(ROWS + "../secret/s.png,a\n"), "m.csv"),
    Attack("manifest_absolute", manifest(ROWS + "/etc/passwd,a\n"), "m.csv"),
    Attack("manifest_nul", manifest(ROWS + "a\0b.png,a\n"), "m.csv"),
    Attack("manifest_controls", manifest(ROWS + f"{TITLE}.png,a\n"), "m.csv"),
    Attack("manifest_label", manifest(ROWS + f"a/1.png,{CLEAR}\n"), "", (0, 1, 2)),
    Attack("manifest_label_long", manifest(ROWS + f"a/1.png,{'x' * 10_000}\n"), "", (0, 1, 2)),
    Attack("manifest_label_number", manifest(ROWS + "a/1.png,1000000000\n"), "", (0, 1, 2)),
    Attack("manifest_field", manifest(ROWS + "a/1.png," + "x" * 200_000 + "\n"), "m.csv"),
    Attack("manifest_deep", manifest(DEEP_JSON, suffix="jsonl"), "m.jsonl"),
    Attack("manifest_digits", manifest('{"path": "a/0.png", "label": ' + "1" * 5000 + "}", suffix="jsonl"), "m.jsonl"),
    Attack("manifest_float", manifest('{"path": "a/0.png", "label": 1e999}\n', suffix="jsonl"), "", (0, 1, 2)),
    Attack(
        "manifest_link",
        manifest(ROWS + "s.png,a\n", lambda root: os.symlink(outside(root) / "s.png", root / "s.png")),
        "s.png",
    ),
    Attack(
        "manifest_folder_link",
        manifest(ROWS + "c/s.png,a\n", lambda root: os.symlink(outside(root), root / "c")),
        "t/c",
    ),
    Attack("manifest_pipe", manifest(ROWS + "p.png,a\n", lambda root: os.mkfifo(root / "p.png")), "p.png", PROBLEM),
]

ARCHIVES = [
    Attack("entry_missing", zipped(lambda path: None), "x.png"),
    Attack("entry_link", zipped(linked_entry), "x.png"),
    Attack(
        "entry_lies", zipped(lambda path: with_member(path, "x.png", zeros_deflated(2**30), 2000)), "x.png", PROBLEM
    ),
    Attack(
        "entry_bomb", zipped(lambda path: with_member(path, "x.png", zeros_deflated(2**31), 2**31)), "x.png", PROBLEM
    ),
    Attack("archive_noise", zipped(lambda path: path.write_bytes(b"PK" + bytes(500))), "i.zip"),
    Attack("archive_pipe", zipped(lambda path: (path.unlink(), os.mkfifo(path))), "i.zip"),
    Attack(
        "archive_link",
        zipped(lambda path: shutil.move(path, path.parent.parent / "o.zip") and os.symlink("../o.zip", path)),
        "i.zip",
    ),
]


ALL = [*IMAGES, *FOLDERS, *MANIFESTS, *ARCHIVES]


@pytest.mark.parametrize("attack", ALL, ids=lambda attack: attack.name)
def test_data(attack, attack_server, tmp_path):
    check(attack_server, attack, tmp_path)
