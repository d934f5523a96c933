"""PNG files that name one transparent colour (tRNS), in every depth of bits, written here chunk by chunk."""

import struct
import zlib

import numpy as np
import pytest

from mvlpt.data.images import read_image

CLEAR, OPAQUE = (0, 0), (3, 3)
GROUND = {1: 0, 2: 1, 4: 3, 8: 7, 16: 1800}  # the transparent value by bits; the square in the middle is another
SQUARE = {1: 1, 2: 0, 4: 0, 8: 0, 16: 0}


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def write_png(path, bits, channels):
    """8 x 8 pixels: a square of one colour on a ground of the transparent colour."""
    values = np.full((8, 8), GROUND[bits])
    values[2:6, 2:6] = SQUARE[bits]
    flags = ((values[..., None] >> np.arange(bits)[::-1]) & 1).astype(np.uint8)  # (8, 8, bits), highest first
    flags = np.repeat(flags[:, :, None], channels, 2).reshape(8, -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in flags)
    head = struct.pack(">IIBBBBB", 8, 8, bits, 2 if channels == 3 else 0, 0, 0, 0)
    clear = struct.pack(f">{channels}H", *[GROUND[bits]] * channels)
    body = [(b"IHDR", head), (b"tRNS", clear), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in body))
    return str(path)


@pytest.mark.parametrize(("bits", "channels"), [(1, 1), (2, 1), (4, 1), (8, 1), (16, 1), (8, 3), (16, 3)])
def test_one_transparent_colour_becomes_white_and_no_other(tmp_path, bits, channels):
    path = write_png(tmp_path / "x.png", bits, channels)
    read, dropped = np.asarray(read_image(path)), np.asarray(read_image(path, "drop"))
    levels = GROUND[bits] * 255 // (2**bits - 1), SQUARE[bits] * 255 // (2**bits - 1)
    assert read[CLEAR].tolist() == [255] * 3
    assert read[OPAQUE].tolist() == dropped[OPAQUE].tolist() == [levels[1]] * 3
    assert dropped[CLEAR].tolist() == [levels[0]] * 3
