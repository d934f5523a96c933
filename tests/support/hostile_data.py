"""Hostile images, archives and folders of data."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from PIL import Image

CHECK = ["tasks", "check", "t/"]


def png(path, size=(8, 8), color=(200, 0, 0)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, "PNG")


def folder_task(root, classes=("a", "b"), count=6):
    for index, name in enumerate(classes):
        for number in range(count):
            png(root / name / f"{number}.png", color=(90 * index, 10 * number, 50))
    return root


def folders(change, words=CHECK):
    def make(folder):
        folder_task(folder / "t")
        change(folder / "t")
        return words

    return make


def manifest(rows, change=lambda root: None, suffix="csv"):
    def make(folder):
        root = folder / "t"
        folder_task(root)
        (root / f"m.{suffix}").write_text(rows, errors="surrogatepass")
        (root / "t.yaml").write_text(f"images: .\nmanifest: m.{suffix}\n")
        change(root)
        return ["tasks", "check", "t/t.yaml"]

    return make


def zipped(fill):
    def make(folder):
        root = folder / "t"
        folder_task(root)
        with zipfile.ZipFile(root / "i.zip", "w") as archive:
            archive.writestr("ok.png", (root / "a/0.png").read_bytes())
        fill(root / "i.zip")
        (root / "m.csv").write_text("path,label\na/0.png,a\nb/0.png,b\ni.zip@x.png,a\n")
        (root / "t.yaml").write_text("images: .\nmanifest: m.csv\n")
        return ["tasks", "check", "t/t.yaml"]

    return make


def linked_entry(path):
    info = zipfile.ZipInfo("x.png")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")


def outside(root):
    png(root.parent / "secret" / "s.png")
    return root.parent / "secret"


def lying_png(width, height):
    good = io.BytesIO()
    Image.new("RGB", (4, 4)).save(good, "PNG")
    raw = bytearray(good.getvalue())
    raw[16:24] = struct.pack(">II", width, height)
    raw[29:33] = struct.pack(">I", zlib.crc32(bytes(raw[12:29])))
    return bytes(raw)


def read(name, content):
    def make(folder):
        (folder / name).write_bytes(content)
        return ["@image", folder / name]

    return make
