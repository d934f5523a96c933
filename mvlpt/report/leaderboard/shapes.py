"""The shapes that a benchmark's prediction files must have."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mvlpt.data.sources import known_tasks
from mvlpt.errors import ConfigError
from mvlpt.io import read_json


class TaskShape(NamedTuple):
    """The shape of a data set's predictions."""

    images: int
    classes: int
    multi_label: bool = False


def benchmark_shapes() -> dict[str, TaskShape]:
    """ELEVATER's 20 data sets by canonical name."""
    return {
        metadata.name: TaskShape(metadata.sizes.test, metadata.num_classes, metadata.multi_label)
        for metadata in known_tasks("elevater")
    }


def read_shapes(path: str | Path) -> dict[str, TaskShape]:
    """The table of another benchmark: a JSON file with ``{"data set": [test images, classes], ...}``.

    Raises:
        ConfigError: the file does not have that form.
    """
    table = read_json(Path(path))
    try:
        shapes = {str(name): TaskShape(*row) for name, row in table.items()}
        if not all(type(size) is int and 0 <= size < 2**40 for shape in shapes.values() for size in shape[:2]):
            raise TypeError("a size is not a whole number")
        return shapes
    except (AttributeError, TypeError) as error:
        raise ConfigError(f'{path} must read {{"data set": [test images, classes], ...}}: {error}') from error
