"""Where the images and labels of tasks come from: the layouts of files on disk, read as lists of items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.data.sources.class_folders import (
        check_layout,
        class_folder_names,
        has_image,
        image_files,
        looks_like_split,
        match_by_name,
        normalized_name,
        read_class_folders,
        split_folders,
    )
    from mvlpt.data.sources.class_list import (
        ClassList,
        check_spellings,
        checked_templates,
        parse_class_list,
        read_class_list,
    )
    from mvlpt.data.sources.coco_index import read_categories, read_coco
    from mvlpt.data.sources.download import download_task
    from mvlpt.data.sources.families import FAMILIES, read_benchmark
    from mvlpt.data.sources.index_files import read_index, read_labels
    from mvlpt.data.sources.index_paths import IndexPaths, safe_join
    from mvlpt.data.sources.inspection import Inspection, inspect_task
    from mvlpt.data.sources.links import LinkCheck, walk_files
    from mvlpt.data.sources.locations import SOURCES, Location, how_to_get, locate, not_found_error, require_location
    from mvlpt.data.sources.manifest import ManifestRow, manifest_items, read_manifest
    from mvlpt.data.sources.metadata import PromptMetadata, SplitFiles, TaskMetadata, TorchvisionMetadata
    from mvlpt.data.sources.split_files import read_split, write_split
    from mvlpt.data.sources.split_rules import (
        COOP_SHARES,
        DEFAULT_SHARES,
        benchmark_shares,
        fill_splits,
        split_by_shares,
    )
    from mvlpt.data.sources.task_table import (
        alias_table,
        ambiguity,
        canonical_name,
        known_tasks,
        prompt_metadata,
        task_metadata,
    )
    from mvlpt.data.sources.torchvision import read_torchvision

__all__ = [
    "COOP_SHARES",
    "DEFAULT_SHARES",
    "FAMILIES",
    "SOURCES",
    "ClassList",
    "IndexPaths",
    "Inspection",
    "LinkCheck",
    "Location",
    "ManifestRow",
    "PromptMetadata",
    "SplitFiles",
    "TaskMetadata",
    "TorchvisionMetadata",
    "alias_table",
    "ambiguity",
    "benchmark_shares",
    "canonical_name",
    "check_layout",
    "check_spellings",
    "checked_templates",
    "class_folder_names",
    "download_task",
    "fill_splits",
    "has_image",
    "how_to_get",
    "image_files",
    "inspect_task",
    "known_tasks",
    "locate",
    "looks_like_split",
    "manifest_items",
    "match_by_name",
    "normalized_name",
    "not_found_error",
    "parse_class_list",
    "prompt_metadata",
    "read_benchmark",
    "read_categories",
    "read_class_folders",
    "read_class_list",
    "read_coco",
    "read_index",
    "read_labels",
    "read_manifest",
    "read_split",
    "read_torchvision",
    "require_location",
    "safe_join",
    "split_by_shares",
    "split_folders",
    "task_metadata",
    "walk_files",
    "write_split",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "COOP_SHARES": "split_rules",
        "ClassList": "class_list",
        "DEFAULT_SHARES": "split_rules",
        "FAMILIES": "families",
        "IndexPaths": "index_paths",
        "LinkCheck": "links",
        "walk_files": "links",
        "Inspection": "inspection",
        "Location": "locations",
        "ManifestRow": "manifest",
        "PromptMetadata": "metadata",
        "SOURCES": "locations",
        "SplitFiles": "metadata",
        "TaskMetadata": "metadata",
        "TorchvisionMetadata": "metadata",
        "alias_table": "task_table",
        "ambiguity": "task_table",
        "benchmark_shares": "split_rules",
        "canonical_name": "task_table",
        "checked_templates": "class_list",
        "class_folder_names": "class_folders",
        "download_task": "download",
        "fill_splits": "split_rules",
        "has_image": "class_folders",
        "how_to_get": "locations",
        "image_files": "class_folders",
        "inspect_task": "inspection",
        "known_tasks": "task_table",
        "locate": "locations",
        "looks_like_split": "class_folders",
        "check_layout": "class_folders",
        "check_spellings": "class_list",
        "manifest_items": "manifest",
        "match_by_name": "class_folders",
        "normalized_name": "class_folders",
        "not_found_error": "locations",
        "parse_class_list": "class_list",
        "prompt_metadata": "task_table",
        "read_benchmark": "families",
        "read_categories": "coco_index",
        "read_class_folders": "class_folders",
        "read_class_list": "class_list",
        "read_coco": "coco_index",
        "read_index": "index_files",
        "read_labels": "index_files",
        "read_manifest": "manifest",
        "read_split": "split_files",
        "read_torchvision": "torchvision",
        "require_location": "locations",
        "safe_join": "index_paths",
        "split_by_shares": "split_rules",
        "split_folders": "class_folders",
        "task_metadata": "task_table",
        "write_split": "split_files",
    },
    {
        "TaskFacts": "TaskMetadata",
        "task_facts": "task_metadata",
        "prompt_facts": "prompt_metadata",
    },
)
