"""The benchmark's prediction files: one JSON for each data set and seed, and the zip that contains them all.

A file has the fields of :class:`Header` and ``predictions``: seeds x test images x classes, probabilities in the order
of the test index, rounded to 6 decimals. Everything is written and read in pieces.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from mvlpt.errors import DataError
from mvlpt.io import JsonStream, atomic_write, json_text, open_entry, open_regular, open_zip

DECIMALS = 6
ZIP_NAME, MEMBER = "all_predictions.zip", "all_predictions.json"
MAX_JSON_BYTES = 4 * 2**30  # largest accepted size of the JSON in a zip; the benchmark's has a tenth
_BLOCK = 1 << 15  # numbers formatted at a time
_COMPACT = (",", ":")


@dataclass(frozen=True)
class Header:
    """The fields before the numbers, in the benchmark's order.

    Attributes:
        model_name: the model's name on the leaderboard.
        dataset_name: the canonical name.
        num_trainable_params: parameters that were trained; a mean over seeds in the merged file.
        num_params: all parameters.
        num_visual_params: parameters of the image tower.
        num_backbone_params: parameters of the pretrained model.
        n_shot: 0 zero-shot, 5 few-shot, -1 all data.
        rnd_seeds: the seed of each table in ``predictions``.
    """

    model_name: str
    dataset_name: str
    num_trainable_params: float
    num_params: int
    num_visual_params: int
    num_backbone_params: int
    n_shot: int
    rnd_seeds: tuple[int, ...]


FIELDS = tuple(field.name for field in dataclasses.fields(Header))
EQUAL_FIELDS = tuple(name for name in FIELDS if name not in ("num_trainable_params", "rnd_seeds"))


def file_name(header: Header) -> str:
    """The benchmark's name for the file of one seed."""
    name = f"{header.dataset_name}.json"
    return name if header.n_shot == 0 else f"seed{header.rnd_seeds[0]}_{name}"


def write_predictions(path: str | Path, header: Header, probabilities: np.ndarray) -> None:
    """Writes the file of one seed atomically.

    Args:
        path: the JSON file.
        header: its fields, with one seed.
        probabilities: (images, classes), an array or a memory map.

    Raises:
        RunFolderError: the file cannot be written.
    """
    with atomic_write(path) as handle:
        begin_entry(handle, header)
        handle.write("[")
        for number, text in enumerate(_row_blocks(probabilities)):
            handle.write("," + text if number else text)
        handle.write("]")
        end_entry(handle)


def begin_entry(handle: IO[str], header: Header) -> None:
    """Writes the fields and opens the list of tables."""
    handle.write(json_text(dataclasses.asdict(header))[:-1] + ', "predictions": [')


def end_entry(handle: IO[str]) -> None:
    """Closes what :func:`begin_entry` opened."""
    handle.write("]}")


def _row_blocks(probabilities: np.ndarray) -> Iterator[str]:
    """The rows as JSON without the outer brackets, some at a time."""
    size = max(_BLOCK // max(probabilities.shape[1], 1), 1)
    for start in range(0, len(probabilities), size):
        block = np.round(np.asarray(probabilities[start : start + size], dtype=np.float64), DECIMALS)
        yield json.dumps(block.tolist(), separators=_COMPACT)[1:-1]


@contextmanager
def open_predictions(path: str | Path) -> Iterator[JsonStream]:
    """The JSON of a prediction file, or of the one inside a submission's zip.

    Raises:
        DataError: the file is missing, or the zip is broken or does not contain it.
    """
    path = Path(path)
    if path.suffix == ".zip":
        with open_zip(path) as archive:
            if MEMBER not in archive.namelist():
                raise DataError(f"The archive {path} has no '{MEMBER}'; write it with: submission.py merge")
            with open_entry(archive, MEMBER, largest=MAX_JSON_BYTES) as handle:
                yield JsonStream(handle, f"{path}/{MEMBER}")
    else:
        with open_regular(path, missing=f"The file {path} does not exist") as handle:
            yield JsonStream(handle, str(path))


def rows_by_seed(stream: JsonStream) -> Iterator[tuple[int, bytes]]:
    """The index of the seed and the JSON of each row, for the ``predictions`` that begin here."""
    for seed in stream.elements():
        for _ in stream.elements():
            yield seed, stream.row_text()


def parse_row(row: bytes, stream: JsonStream) -> np.ndarray:
    """A row of :func:`rows_by_seed` as float64 (K,)."""
    try:
        return np.asarray(json.loads(row), dtype=np.float64)
    except (ValueError, OverflowError):
        stream.fail("a row of numbers cannot be read")


def merge_files(groups: Iterable[tuple[Header, list[Path]]], target: str | Path) -> None:
    """Writes the submission's zip atomically.

    Args:
        groups: for each data set the merged header, and the files of its seeds in their order. Rows are copied
            unchanged.
        target: the zip.

    Raises:
        DataError: a file cannot be read.
        RunFolderError: the zip cannot be written.
    """
    with atomic_write(target, "wb") as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        member = zipfile.ZipInfo(MEMBER)  # without a time stamp: equal inputs give equal bytes
        member.compress_type = zipfile.ZIP_DEFLATED
        member.external_attr = 0o644 << 16
        with archive.open(member, "w", force_zip64=True) as binary:
            handle = _Utf8Writer(binary)
            handle.write('{"data": [')
            for index, (header, files) in enumerate(groups):
                handle.write(", " if index else "")
                begin_entry(handle, header)
                for number, path in enumerate(files):
                    handle.write("," if number else "")
                    _copy_table(path, handle)
                end_entry(handle)
            handle.write("]}")


class _Utf8Writer:
    """Writes strings to a binary file."""

    def __init__(self, binary: IO[bytes]) -> None:
        self._binary = binary

    def write(self, text: str) -> None:
        self._binary.write(text.encode("utf-8"))


def _copy_table(path: Path, handle: Any) -> None:
    """Copies the one table of a file."""
    with open_predictions(path) as stream:
        for key in stream.members():
            if key != "predictions":
                stream.value()
                continue
            handle.write("[")
            for number, (_, row) in enumerate(rows_by_seed(stream)):
                handle.write(("," if number else "") + row.decode("ascii"))
            handle.write("]")
