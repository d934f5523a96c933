"""Hostile pickles and torch archives, assembled byte by byte."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

MARK, STOP, EMPTY_DICT, EMPTY_TUPLE, NONE, TRUE = b"(", b".", b"}", b")", b"N", b"\x88"
TUPLE1, TUPLE2, TUPLE3, TUPLE, REDUCE, BUILD, SETITEM, PERSISTENT = (
    b"\x85",
    b"\x86",
    b"\x87",
    b"t",
    b"R",
    b"b",
    b"s",
    b"Q",
)
PROTO = b"\x80\x02"


def glob(module: str, name: str) -> bytes:
    """Pushes a global."""
    return f"c{module}\n{name}\n".encode()


def text(value: str) -> bytes:
    """Pushes a string."""
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    """Pushes an integer."""
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def numbers(values: tuple[int, ...]) -> bytes:
    """Pushes a tuple of integers."""
    return MARK + b"".join(map(number, values)) + TUPLE


def storage(kind: str, numel: int, key: str = "0") -> bytes:
    """Pushes a storage of an archive."""
    return MARK + text("storage") + glob("torch", kind) + text(key) + text("cpu") + number(numel) + TUPLE + PERSISTENT


def tensor(
    size: tuple[int, ...], stride: tuple[int, ...], numel: int, *, offset: int = 0, kind: str = "FloatStorage"
) -> bytes:
    """Pushes a tensor on a storage of an archive."""
    rebuilt = storage(kind, numel) + number(offset) + numbers(size) + numbers(stride) + b"\x89"
    rebuilt += glob("collections", "OrderedDict") + EMPTY_TUPLE + REDUCE
    return glob("torch._utils", "_rebuild_tensor_v2") + MARK + rebuilt + TUPLE + REDUCE


def called(module: str, name: str, arguments: bytes) -> bytes:
    """Pushes what a function returns; ``arguments`` pushes them one by one."""
    return glob(module, name) + MARK + arguments + TUPLE + REDUCE


def checkpoint(entry: bytes, key: str = "ctx") -> bytes:
    """A whole pickle of ``{"state_dict": {key: entry}, "epoch": 1}``."""
    inside = EMPTY_DICT + text(key) + entry + SETITEM
    return PROTO + EMPTY_DICT + text("state_dict") + inside + SETITEM + text("epoch") + number(1) + SETITEM + STOP


def archive(
    path: Path, pickled: bytes, storages: Mapping[str, bytes] | None = None, *, deflated: bool = False,
    script: bool = False,
) -> Path:  # fmt: skip
    """Writes a zip file as ``torch.save`` does, or as TorchScript does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as out:
        out.writestr("archive/data.pkl", pickled)
        out.writestr("archive/byteorder", b"little")
        out.writestr("archive/version", b"3\n")
        if script:
            out.writestr("archive/code/__torch__.py", b"class Model: pass\n")
        for key, raw in (storages or {}).items():
            out.writestr(f"archive/data/{key}", raw)
    return path


def zeros_deflated(size: int) -> bytes:
    """A deflate stream of so many zero bytes, made in no time from equal parts of a MiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first * (size // 2**20) + zlib.compressobj(9, zlib.DEFLATED, -15).flush()


def with_member(path: Path, name: str, packed: bytes, claimed: int, *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Adds to a zip file a member whose header claims a size, whatever its bytes unpack to."""
    with zipfile.ZipFile(path, "a") as out:
        info = zipfile.ZipInfo(name)
        out.writestr(info, packed)
        held = out.getinfo(name)
        held.compress_type, held.file_size, held.CRC = method, claimed, 0
        out.fp.seek(held.header_offset + 8)
        out.fp.write(struct.pack("<H", method))
        out.fp.seek(held.header_offset + 14)
        out.fp.write(struct.pack("<III", 0, held.compress_size, min(claimed, 2**32 - 1)))
        out.fp.seek(out.start_dir)
    return path
