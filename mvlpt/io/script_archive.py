"""Reads the tensors of a TorchScript archive, the form of OpenAI's published weights, without running its code.

The archive is a zip file: ``data.pkl`` describes nested objects, ``data/N`` holds raw storages, ``code/`` is never
opened. The unpickler knows storages, tensors and plain containers, and replaces every module class by an inert record
of attributes.
"""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mvlpt.errors import BackboneError, is_out_of_memory
from mvlpt.io.display import first_line
from mvlpt.io.inert_pickle import Inert, InertUnpickler
from mvlpt.io.torch_bounds import check_archive, check_content, check_tensor
from mvlpt.io.zip_files import open_zip

_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class _Record(Inert):
    """Any module of the archive: attributes, no behaviour."""

    def __init__(self, *_: Any) -> None:
        self.attributes: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.attributes = state


class _StorageType:
    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


def _rebuild_tensor(storage: Tensor, offset: int, size: tuple, stride: tuple, *_: Any) -> Tensor:
    tensor = torch.as_strided(storage, tuple(size), tuple(stride), offset)
    check_tensor(tensor)
    return tensor


def _first(value: Any, *_: Any) -> Any:
    return value


class _Reader(InertUnpickler):
    """Builds tensors and plain containers only."""

    table = {  # noqa: RUF012
        "collections.OrderedDict": OrderedDict,
        "torch._utils._rebuild_tensor": _rebuild_tensor,
        "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
        "torch._utils._rebuild_parameter": _first,
        **{f"torch.{name}": _StorageType(dtype) for name, dtype in _STORAGES.items()},
    }

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(archive.open(f"{root}/data.pkl"))
        self._archive, self._root, self._storages = archive, root, {}

    def find_class(self, module: str, name: str) -> Any:
        """The table's entry, or a record for a module; anything else is refused."""
        if module == "torch.jit._pickle":  # build_intlist and the like: typed lists
            return _first
        if module.startswith("__torch__"):
            return _Record
        if f"{module}.{name}" not in self.table:
            raise BackboneError(f"the archive asks for '{module}.{name}', which is refused")
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Tensor:
        kind, storage_type, key, _, numel = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType):
            raise BackboneError("the archive's storages are not in a known form")
        if key not in self._storages:
            info = self._archive.getinfo(f"{self._root}/data/{key}")
            if info.file_size != numel * storage_type.dtype.itemsize:
                raise BackboneError(f"the archive's storage {key} is not as long as it says")
            raw = bytearray(self._archive.read(info))
            self._storages[key] = (
                torch.frombuffer(raw, dtype=storage_type.dtype) if raw else torch.empty(0, dtype=storage_type.dtype)
            )
        return self._storages[key]


def is_script_archive(path: Path) -> bool:
    """Whether the file is a TorchScript archive: a zip with ``data.pkl`` and a ``code`` folder."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with open_zip(path, error=BackboneError) as archive:
        names = archive.namelist()
    return any(name.endswith("/data.pkl") for name in names) and any("/code/" in name for name in names)


def read_script_archive(path: Path) -> dict[str, Any]:
    """The archive's state dict: parameters, buffers and plain attributes of its modules by dotted name.

    Raises:
        BackboneError: the archive holds something else than modules and tensors.
    """
    try:
        with open_zip(path, error=BackboneError) as archive:
            check_archive(archive, path)
            root = next(name for name in archive.namelist() if name.endswith("/data.pkl")).removesuffix("/data.pkl")
            top = _Reader(archive, root).load()
    except Exception as error:  # of a damaged pickle: any
        reason = "it asks for more memory than there is" if is_out_of_memory(error) else first_line(error)
        raise BackboneError(f"{path} cannot be read: {reason}") from error
    if not isinstance(top, _Record):
        raise BackboneError(f"{path} holds no module")
    state: dict[str, Any] = {}
    _collect(top, "", state, depth=0)
    try:
        check_content(state)
    except ValueError as error:
        raise BackboneError(f"{path} cannot be read: {error}") from error
    return {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}


def _collect(record: _Record, prefix: str, state: dict[str, Any], depth: int) -> None:
    if depth > 32:
        raise BackboneError("The archive's modules are nested too deeply")
    for name, value in record.attributes.items():
        if isinstance(value, Tensor):
            if name != "attn_mask":  # determined by the context length
                state[prefix + name] = value
        elif isinstance(value, _Record):
            _collect(value, f"{prefix}{name}.", state, depth + 1)
        elif depth == 0 and name in ("input_resolution", "context_length", "vocab_size"):
            state[name] = value
