"""Bounds of files of tensors: what a file may ask for, checked before memory is taken and before anything is used."""

from __future__ import annotations

import pickle
import pickletools
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor
from torch import strided as STRIDED

from mvlpt.io.inert_pickle import Inert
from mvlpt.io.rehearsal import rehearse
from mvlpt.io.zip_files import check_entry

MOST_INSTRUCTIONS = 2**22  # of a pickle
LARGEST_PICKLE = 2**27  # bytes, without the tensors' own
DEEPEST = 64  # containers within each other
LARGEST_NUMBER = 1000  # bits; floating-point numbers have no more
SHARING = 8  # bytes of all tensors together for a byte of all storages: tied weights share theirs
_PLAIN = (
    dict, list, tuple, set, str, bytes, bytearray, int, float, complex, bool, type(None), type, Tensor, Inert,
    torch.dtype, torch.device, torch.layout, torch.storage.TypedStorage, torch.UntypedStorage,
)  # fmt: skip
SPARE = 2**20  # bytes that small files may exceed their bounds by


def check_archive(archive: zipfile.ZipFile, path: Path) -> None:
    """Checks that the members of a torch archive are as long together as the file, since torch stores them unpacked.

    Raises:
        ValueError: a member is compressed or lies about its length, two share their bytes or their name, or a tensor
            is larger than its storage.
    """
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if total > path.stat().st_size + SPARE:
        raise ValueError(f"it would unpack to {total:,} bytes, more than the file has; archives of torch do not")
    sizes = {member.filename.lower(): member.file_size for member in members}  # torch disregards case
    if len(sizes) < len(members):
        raise ValueError("it holds a member twice")
    for member in members:
        check_entry(member, largest=path.stat().st_size + SPARE)
        if not member.filename.lower().endswith("/data.pkl"):
            continue
        if member.file_size > LARGEST_PICKLE:
            raise ValueError(f"its description has {member.file_size:,} bytes, more than {LARGEST_PICKLE:,}")
        with archive.open(member) as handle:
            check_pickle(handle)
        root = member.filename[: -len("data.pkl")].lower()
        if f"{root}code/__torch__.py" not in sizes and not any(name.startswith(f"{root}code/") for name in sizes):
            with archive.open(member) as handle:
                rehearse(handle, lambda key, _, root=root: sizes.get(f"{root}data/{key}".lower(), -1))


def check_pickle(handle: IO[bytes]) -> None:
    """Goes through the instructions of one pickle and executes none.

    Raises:
        ValueError: too many instructions, a memo index out of bounds, or a pickle that is damaged.
    """
    count = 0
    try:
        for instruction, argument, _ in pickletools.genops(handle):
            count += 1
            if count > MOST_INSTRUCTIONS:
                raise ValueError(f"it has more than {MOST_INSTRUCTIONS:,} instructions")
            if instruction.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > count:
                raise ValueError(f"it numbers its objects up to {argument:,}, but has far fewer")
    except (MemoryError, OverflowError, EOFError, IndexError):
        raise ValueError("it is cut short or damaged") from None


def check_legacy(path: Path) -> None:
    """:func:`check_pickle` of the pickles at the head of a file in the format before torch 1.6.

    Raises:
        ValueError: as there, its storages are longer than the file, or it does not begin with a pickle of that format.
    """
    with open(path, "rb") as handle:
        check_pickle(handle)
        end = handle.tell()
        handle.seek(0)
        if handle.read(1) != pickle.PROTO or end > 32:
            raise ValueError("it is neither an archive of torch nor a file of its older format")
        handle.seek(end)
        for _ in range(2):
            check_pickle(handle)
        start = handle.tell()
        for _ in range(2):
            check_pickle(handle)
        handle.seek(start)
        left = {None: path.stat().st_size}

        def storage_bytes(key: str, count: int) -> int:
            if key not in left:
                left[key] = count
                left[None] -= count
            return count if left[key] == count and left[None] >= 0 else -1

        rehearse(handle, storage_bytes)


def check_content(content: Any) -> None:
    """Checks what was read, and takes attributes off ordered dicts, except a state dict's ``_metadata``.

    Raises:
        ValueError: containers are nested too deeply or contain themselves, a number has too many digits, or a tensor is
            not a plain one that its storage holds.
    """
    waiting: list[tuple[Any, int]] = [(content, 1)]
    seen: set[int] = set()
    storages: dict[int, int] = {}
    total = 0
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, int) and value.bit_length() > LARGEST_NUMBER:
            raise ValueError(f"it holds a number of {value.bit_length():,} bits")
        if not isinstance(value, _PLAIN):
            raise ValueError(f"it holds a {type(value).__name__[:40]}, which is no tensor, number, string or container")
        if isinstance(value, Tensor):
            check_tensor(value)
            vars(value).clear()  # attributes could hide methods
            total += value.numel() * value.element_size()
            storages[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        if not isinstance(value, dict | list | tuple | set) or id(value) in seen:
            continue
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} containers are nested in each other")
        seen.add(id(value))
        if isinstance(value, dict) and type(value) is not dict:
            _strip_attributes(value)
        if isinstance(value, dict):
            waiting += [(key, depth + 1) for key in dict.keys(value)]
        waiting += [(child, depth + 1) for child in (dict.values(value) if isinstance(value, dict) else value)]
    if total > SHARING * sum(storages.values()) + SPARE:
        raise ValueError(f"its tensors have {total:,} bytes together, but share {sum(storages.values()):,} of the file")


def check_tensor(tensor: Tensor) -> None:
    """Checks that a tensor is plain, and that its elements are all in its storage, each once.

    Raises:
        ValueError: it is sparse, quantised, nested or without content, or shows elements again and again.
    """
    if tensor.layout != STRIDED or tensor.is_quantized or tensor.is_nested or tensor.device.type != "cpu":
        raise ValueError("it holds a tensor that is not plain: sparse, quantised, nested or without its content")
    size, held = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
    if size > held:
        raise ValueError(f"a tensor of shape {tuple(tensor.shape)} has {size:,} bytes, but the file holds {held:,}")


def _strip_attributes(mapping: OrderedDict | Counter) -> None:
    """Attributes could hide methods."""
    metadata = vars(mapping).get("_metadata")
    vars(mapping).clear()
    if isinstance(metadata, dict):
        mapping._metadata = metadata
