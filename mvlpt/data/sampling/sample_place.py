"""Which file holds the published sample of a task: a file, a pattern of files, or a folder of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mvlpt.errors import ConfigError, DataError

NAMES = ("task", "folder", "shots", "seed")
# below a folder; {name} is the task's name, or the name of its folder of images
LAYOUTS = tuple(
    f"{stem}{suffix}"
    for stem, suffixes in (
        ("{name}/split_fewshot/shot_{shots}-seed_{seed}", (".pkl",)),
        ("{name}/shot_{shots}-seed_{seed}", (".pkl", ".json", ".jsonl")),
        ("{name}-shots{shots}-seed{seed}", (".jsonl", ".json")),
        ("{name}", (".jsonl",)),
    )
    for suffix in suffixes
)
_WORD = re.compile(r"\{(\w*)\}")


def sample_place(given: str, *, task: str, folder: str, shots: int, seed: int) -> Path:
    """The file of a task's sample.

    Args:
        given: a file; a pattern with ``{task}``, ``{folder}``, ``{shots}`` and ``{seed}``; or a folder in one of
            :data:`LAYOUTS`, such as the folder of CoOp's data sets.
        task: the data set's name.
        folder: the folder of its images, which stands for ``{folder}``.
        shots, seed: of the run.

    Raises:
        ConfigError: a pattern has an unknown word in braces.
        DataError: a folder holds no sample of the task, or several.
    """
    words = {"task": task, "folder": folder, "shots": str(shots), "seed": str(seed)}
    unknown = next((word for word in _WORD.findall(given) if word not in NAMES), None)
    if unknown is not None:
        known = ", ".join(f"{{{name}}}" for name in NAMES)
        raise ConfigError(f"DATASET.SAMPLES is '{given}', but {{{unknown}}} is not one of {known}")
    path = Path(_WORD.sub(lambda found: words[found.group(1)], given)).expanduser()
    if not path.is_dir():
        return path
    names = dict.fromkeys((task, os.path.basename(folder.rstrip("/"))))
    files = [layout.format(**words, name=name) for name in names if name for layout in LAYOUTS]
    found = [file for file in dict.fromkeys(files) if (path / file).is_file()]
    if len(found) == 1:
        return path / found[0]
    if found:
        raise DataError(
            f"The folder {path} holds several samples of '{task}': {', '.join(found)}; name one, with "
            "{task}, {shots} and {seed} for what changes"
        )
    raise DataError(
        f"The folder {path} holds no sample of '{task}' with {shots} shots and seed {seed}, such as "
        f"{files[0]} or {files[-2]}; name the files, with {{task}}, {{shots}} and {{seed}} for what changes"
    )
