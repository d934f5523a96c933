"""Reads and writes files of ``torch.save`` without running anything that they ask for."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mvlpt.errors import CheckpointError, MissingCheckpointError, MvlptError, RunFolderError, is_out_of_memory
from mvlpt.io import inert_pickle
from mvlpt.io.display import first_line
from mvlpt.io.files import atomic_write
from mvlpt.io.torch_bounds import check_archive, check_content, check_legacy
from mvlpt.io.zip_files import open_zip


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
        MissingCheckpointError: there is no such file, where ``error`` is the default.
        MvlptError: of type ``error``; the file is missing or broken, or asks for more memory than it is long.
    """
    file = Path(path)
    if not file.is_file():
        raise (MissingCheckpointError if error is CheckpointError else error)(f"No checkpoint at {file}")
    if file.stat().st_size == 0:
        raise error(f"{file} is empty; it was cut short when it was written")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about odd but readable files
            content = _load(file)
        check_content(content)
        return content
    except Exception as problem:
        raise error(f"{file} is not a readable checkpoint: {_reason(problem)}") from problem


def _load(file: Path) -> Any:
    is_archive = zipfile.is_zipfile(file)
    if is_archive:
        with open_zip(file, error=CheckpointError) as archive:
            check_archive(archive, file)
    else:
        check_legacy(file)
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        pass  # it names more than tensors
    if is_archive:
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(file)
        allowed = [(inert_pickle.NUMBERS.get(name, inert_pickle.Inert), name) for name in foreign]
        try:
            with torch.serialization.safe_globals(allowed):
                return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            pass  # it names what torch refuses by name, or has instructions that torch does not know
    return torch.load(file, map_location="cpu", weights_only=False, pickle_module=inert_pickle)


def _reason(problem: Exception) -> str:
    if isinstance(problem, zipfile.BadZipFile | EOFError):
        return "it is cut short or damaged"
    if is_out_of_memory(problem):
        return "it asks for more memory than there is"
    return first_line(problem)
