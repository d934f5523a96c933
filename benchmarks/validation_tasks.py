"""The embedded tasks with the images of their validation designers to test on: a plugin for ``mvlpt`` and benchmarks.

    mvlpt train --plugin benchmarks/validation_tasks.py --dataset tools-dark-val ...

Training images are those of the task itself, a few a class; all of its ``val.txt`` takes the place of ``test.txt``. So
options and methods can be compared before anyone looks at test images.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import mvlpt.datasets  # noqa: F401 - registers the tasks
from mvlpt.config import get_cfg_default
from mvlpt.data import DATASET_REGISTRY, Datum

SUBJECTS = ("commerce", "devices", "files", "medical", "power", "tools", "vehicles", "weather")
LOOKS = ("plain", "dark", "blueprint")
SUFFIX = "-val"


def validation_names() -> list[str]:
    """Names such as ``tools-dark-val``."""
    return [f"{subject}-{look}{SUFFIX}" for look, subject in product(LOOKS, SUBJECTS)]


def validation_task(name: str) -> type:
    """The data-set class of a name that :func:`validation_names` lists."""
    base = DATASET_REGISTRY.get(name.removesuffix(SUFFIX))

    def read(self: Any, cfg: Any) -> tuple[dict[str, list[Datum]], list[str]]:
        splits, classnames = base.read(self, cfg)
        return {"train": splits["train"], "test": splits["val"]}, classnames

    return type("ValidationTask", (base,), {"name": name, "read": read, "__module__": __name__})


def splits_of(name: str) -> dict[str, list[Datum]]:
    """All training images of a validation task (``train``), and the images that it is tested on (``test``)."""
    kind = DATASET_REGISTRY.get(name)
    return kind.read(kind.__new__(kind), get_cfg_default())[0]


DATASET_REGISTRY.register_family(validation_names, validation_task)
