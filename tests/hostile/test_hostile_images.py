"""Images that lie about their size, unpack to far more than they are, or are something else."""

import gzip
import io
import os
import socket
import struct
import zlib

import pytest
from PIL import Image
from support.attacks import Attack, check
from support.hostile_data import lying_png, read
from support.hostile_pickles import zeros_deflated

pytestmark = pytest.mark.hostile

READ = (0, 2)  # read within bounds, or refused


def saved(format, image=None, **options):
    out = io.BytesIO()
    (image or Image.new("RGB", (8, 8), "red")).save(out, format, **options)
    return out.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *chunks, depth=8, kind=2, data=None):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    body = zlib.compress(bytes(100)) if data is None else data
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def zlibbed(size):
    """A stream of at least so many zero bytes, with the right checksum."""
    whole = (size // 2**20 + 1) * 2**20
    return b"\x78\x9c" + zeros_deflated(whole) + struct.pack(">I", whole % 65521 << 16 | 1)


def frames(count, format):
    first = Image.new("P" if format == "GIF" else "RGB", (64, 64))
    return saved(format, first, save_all=True, append_images=[first] * (count - 1))


def tiff(*entries):
    rows = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + rows + bytes(4)


def exif(data):
    image = Image.new("RGB", (8, 8))
    return saved("JPEG", image, exif=b"Exif\0\0" + data)


def replaced(how):
    def make(folder):
        how(folder / "x.png")
        return ["@image", folder / "x.png"]

    return make


def unix_socket(path):
    here = os.getcwd()
    os.chdir(path.parent)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path.name)
    server.close()
    os.chdir(here)


TEXT = chunk(b"zTXt", b"a\0\0" + zlibbed(2**28))
ICC = chunk(b"iCCP", b"a\0\0" + zlibbed(2**28))
XMP = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlibbed(2**26))
ATTACKS = {
    "png_transparent": (png(9400, 9400, kind=6, data=zlibbed(9400 * 9400 * 4 + 9400)), READ),
    "png_palette": (
        png(
            9400, 9400, chunk(b"PLTE", bytes(768)), chunk(b"tRNS", bytes(256)), kind=3, data=zlibbed(9400 * 9400 + 9400)
        ),
        READ,
    ),
    "png_no_palette": (png(64, 64, kind=3), READ),
    "png_interlaced": (lying_png(9000, 9000), 2),
    "png_data_beyond": (png(8, 8, data=zlibbed(2**30)), READ),
    "png_text_bomb": (png(8, 8, TEXT), READ),
    "png_many_texts": (png(8, 8, *[TEXT] * 20), READ),
    "png_profile_bomb": (png(8, 8, ICC), READ),
    "png_xmp_bomb": (png(8, 8, XMP), READ),
    "png_width_zero": (png(0, 8), 2),
    "png_chunk_length": (b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR" + bytes(40), 2),
    "png_cut": (saved("PNG", Image.effect_noise((300, 300), 90))[:9000], 2),
    "jpeg_cut": (saved("JPEG", Image.effect_noise((300, 300), 90))[:4000], READ),
    "jpeg_huge": (saved("JPEG").replace(b"\x00\x08\x00\x08", b"\xff\xff\xff\xff", 1), READ),
    "jpeg_cmyk": (saved("JPEG", Image.new("CMYK", (8, 8))), 0),
    "jpeg_exif_loop": (exif(tiff((0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0xA005, 4, 1, 8))), READ),
    "jpeg_exif_counts": (exif(tiff((0x0112, 3, 2**32 - 1, 0), (0x010E, 2, 2**32 - 1, 8))), READ),
    "jpeg_exif_noise": (exif(bytes(range(256)) * 200), READ),
    "jpeg_orientation": (exif(tiff((0x0112, 3, 1, 99))), READ),
    "jpeg_polyglot": (saved("JPEG") + b"PK\3\4#!/bin/sh\ntouch pwned\n<?php touch('pwned') ?>", 0),
    "gif_of_frames": (frames(600, "GIF"), READ),
    "gif_screen": (b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;", 2),
    "webp_of_frames": (frames(200, "WEBP"), READ),
    "webp_canvas": (b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\2\0\0\0\xff\xff\xff\xff\xff\xff" + bytes(8), 2),
    "tiff_strips": (
        tiff(
            (256, 4, 1, 9000),
            (257, 4, 1, 9000),
            (258, 3, 1, 8),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (273, 4, 2**28, 8),
            (278, 4, 1, 1),
            (279, 4, 2**28, 8),
        ),
        2,
    ),
    "tiff_bits": (tiff((256, 4, 1, 99), (257, 4, 1, 99), (258, 3, 65535, 8), (262, 3, 1, 2)), 2),
    "tiff_pages": (saved("TIFF", save_all=True, append_images=[Image.new("RGB", (8, 8))] * 300), READ),
    "tiff_float": (saved("TIFF", Image.new("F", (8, 8))), 2),
    "ppm_huge": (b"P6 9400 9400 255\n" + bytes(100), 2),
    "ppm_digits": (b"P6 " + b"9" * 5000 + b" 8 255\n", 2),
    "pgm_depth": (b"P5 8 8 99999999999999999999\n" + bytes(64), 2),
    "pfm": (b"PF\n8 8\nnan\n" + bytes(800), 2),
    "bmp_rle": (
        b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 9999, 0, 0, 54, 40, 9400, 9400, 1, 8, 1, 0, 0, 0, 0, 0)
        + b"\xff\0" * 400,
        READ,
    ),
    "ico_of_png": (struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, 99, 22) + lying_png(60_000, 60_000), 2),
    "icns": (b"icns" + struct.pack(">I", 5000) + b"ic10" + struct.pack(">I", 4000) + lying_png(60_000, 60_000), 2),
    "dds": (b"DDS " + struct.pack("<IIIII", 124, 0x1007, 60_000, 60_000, 0) + bytes(104), 2),
    "psd": (b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 30_000, 30_000, 8, 3) + bytes(99), 2),
    "tga_rle": (b"\0\0\x0a" + bytes(9) + struct.pack("<HHBB", 9400, 9400, 24, 0) + b"\xff\0\0\0" * 50, READ),
    "jpeg2000": (b"\xff\x4f\xff\x51\0\x29\0\0" + struct.pack(">IIII", 9400, 9400, 0, 0) + bytes(99), 2),
    "svg": (b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>', 2),
    "svgz": (gzip.compress(b"<svg/>" * 1000), 2),
    "pdf": (b"%PDF-1.7\n1 0 obj<</OpenAction 2 0 R>>endobj", 2),
    "wmf": (b"\xd7\xcd\xc6\x9a" + bytes(200), 2),
    "xpm": (b'/* XPM */\nstatic char *x[] = {\n"9000 9000 99999999 60",\n' + b'"a c #000",\n' * 99, 2),
    "xbm": (b"#define x_width 9400\n#define x_height 9400\nstatic char x_bits[] = {\n0x00\n", READ),
    "spider": (struct.pack(">27f", *[1.0] * 27), 2),
    "html": (b"<html><script>touch('pwned')</script></html>", 2),
    "empty": (b"", 2),
}
FILES = {
    "socket": unix_socket,
    "folder": lambda path: path.mkdir(),
    "dangling": lambda path: os.symlink("nowhere", path),
    "circle": lambda path: os.symlink("x.png", path),
    "memory": lambda path: os.symlink("/proc/self/mem", path),
    "random": lambda path: os.symlink("/dev/urandom", path),
}
ALL = [
    *(Attack(name, read("x.png", content), "x.png" if status == 2 else "", status)
      for name, (content, status) in ATTACKS.items()),
    *(Attack(name, replaced(how), "x.png") for name, how in FILES.items()),
]  # fmt: skip


@pytest.mark.parametrize("attack", ALL, ids=lambda attack: attack.name)
def test_images(attack, attack_server, tmp_path):
    check(attack_server, attack, tmp_path)
