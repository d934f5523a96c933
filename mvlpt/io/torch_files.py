"""Reads and writes files of ``torch.save`` without running anything that they ask for."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mvlpt.errors import CheckpointError, MvlptError, RunFolderError
from mvlpt.io import inert_pickle
from mvlpt.io.display import clean_text
from mvlpt.io.files import atomic_write


def write_tensors(
    state: Mapping[str, Any], path: str | os.PathLike[str], *, error: type[MvlptError] = RunFolderError
) -> None:
    """``torch.save`` under a temporary name, then renamed."""
    with atomic_write(path, "wb", error=error) as handle:
        torch.save(dict(state), handle)


def read_tensors(path: str | os.PathLike[str], *, error: type[MvlptError] = CheckpointError) -> Any:
    """Reads a file of ``torch.save`` onto the CPU.

    ``weights_only`` reads tensors and plain containers. Old files of Dassl's hold a pickled scheduler with an optimiser
    inside and NumPy scalars: there each class that ``weights_only`` does not know becomes an inert object. The format
    before torch 1.6, in which torch does not list the classes, is read by :mod:`mvlpt.io.inert_pickle`.

    Raises:
        MvlptError: of type ``error``; the file is missing or broken.
    """
    file = Path(path)
    if not file.is_file():
        raise error(f"No checkpoint at {file}")
    if file.stat().st_size == 0:
        raise error(f"{file} is empty; it was cut short when it was written")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about odd but readable files
            content = _load(file)
        _strip_attributes(content)
        return content
    except Exception as problem:
        raise error(f"{file} is not a readable checkpoint: {_reason(problem)}") from problem


def _load(file: Path) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        pass  # it names more than tensors
    if zipfile.is_zipfile(file):
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(file)
        allowed = [(inert_pickle.NUMBERS.get(name, inert_pickle.Inert), name) for name in foreign]
        try:
            with torch.serialization.safe_globals(allowed):
                return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            pass  # it names what torch refuses by name, or has instructions that torch does not know
    return torch.load(file, map_location="cpu", weights_only=False, pickle_module=inert_pickle)


def _strip_attributes(content: Any) -> None:
    """Takes attributes off a file's ordered dicts, except a state dict's ``_metadata``: they could hide methods."""
    waiting, seen = [content], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen or not isinstance(value, dict | list | tuple):
            continue
        seen.add(id(value))
        if isinstance(value, OrderedDict):
            metadata = vars(value).get("_metadata")
            vars(value).clear()
            if isinstance(metadata, dict):
                value._metadata = metadata
        waiting += dict.values(value) if isinstance(value, dict) else value


def _reason(problem: Exception) -> str:
    if isinstance(problem, zipfile.BadZipFile | EOFError):
        return "it is cut short or damaged"
    return clean_text((str(problem).strip() or type(problem).__name__).splitlines()[0], 300)
