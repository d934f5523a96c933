"""The families of shipped tasks, read from ``benchmarks/*.json`` and from the embedded tasks' ``tasks.json``."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any

from mvlpt.data.sources.metadata import SplitFiles, TaskMetadata, TorchvisionMetadata
from mvlpt.data.split_sizes import SplitSizes
from mvlpt.errors import DataError, UnknownNameError, suggest
from mvlpt.io import read_json

FAMILIES = ("elevater", "coop", "embedded")


@functools.cache
def read_benchmark(name: str) -> Mapping[str, Any]:
    """The content of ``mvlpt/data/sources/benchmarks/NAME.json``."""
    file = resources.files("mvlpt").joinpath("data", "sources", "benchmarks", f"{name}.json")
    return MappingProxyType(read_json(file))


@functools.cache
def family_of_tasks(name: str) -> Mapping[str, TaskMetadata]:
    """The tasks of one family by canonical name.

    Raises:
        UnknownNameError: there is no such family.
        DataError: the table of embedded tasks cannot be read.
    """
    if name not in FAMILIES:
        raise UnknownNameError(f"No family of tasks is named '{name}'{suggest(name, FAMILIES)}")
    if name == "embedded":
        return MappingProxyType(_embedded())
    make = {"elevater": _elevater_row, "coop": _coop_row}[name]
    return MappingProxyType({task: make(task, row) for task, row in read_benchmark(name)["tasks"].items()})


def _elevater_row(name: str, row: Mapping[str, Any]) -> TaskMetadata:
    splits = {
        split: SplitFiles(files["index"], tuple(files["archives"]), files["images"])
        for split, files in row["splits"].items()
    }
    source = row.get("torchvision")
    return TaskMetadata(
        name=name,
        family="elevater",
        num_classes=row["classes"],
        sizes=SplitSizes(**{split: files.images for split, files in splits.items()}),
        metric=row["metric"],
        how=row["how"],
        multi_label=row["multi_label"],
        aliases=tuple(row["aliases"]),
        counterpart=row["counterpart"],
        folder=row["folder"],
        format=row["format"],
        labels_file=row["labels_file"],
        splits=MappingProxyType(splits),
        center_crop=row["center_crop"],
        num_templates=len(read_benchmark("elevater_prompts")["tasks"][name]["templates"]),
        torchvision=TorchvisionMetadata(**{**source, "items": tuple(source["items"])}) if source else None,
    )


def _coop_row(name: str, row: Mapping[str, Any]) -> TaskMetadata:
    return TaskMetadata(
        name=name,
        family="coop",
        num_classes=row["classes"],
        sizes=SplitSizes(**row["sizes"]),
        metric=row["metric"],
        how=row["how"],
        counterpart=row["counterpart"],
        folder=row["folder"],
        format=row["raw"],
        files=tuple(row["files"]),
        images=row["images"],
        split_file=row["split_file"],
        test_only=row["test_only"],
        num_templates=len(row["templates"]),
        extra=MappingProxyType({key: row[key] for key in ("templates", "ignored", "renamed") if key in row}),
    )


def _embedded() -> dict[str, TaskMetadata]:
    path = resources.files("mvlpt").joinpath("assets", "tasks", "tasks.json")
    if not path.is_file():
        return {}
    try:
        rows = read_json(path, error=DataError)["tasks"]
    except (KeyError, TypeError) as error:
        raise DataError(f"The table of tasks {path} has no 'tasks'; install the package again") from error
    return {
        name: TaskMetadata(
            name=name,
            family="embedded",
            num_classes=len(row["classes"]),
            sizes=SplitSizes(**{split: row["images"].get(split, 0) for split in SplitSizes._fields}),
            metric=row.get("metric", "accuracy"),
            how="It ships with the package",
            folder=name,
            format="txt",
            labels_file="labels.txt",
            num_templates=len(row.get("templates", ("one",))),
        )
        for name, row in rows.items()
    }
