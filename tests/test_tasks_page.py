"""The page on tasks names every data set with the numbers of the table, and only commands that exist."""

import re
from pathlib import Path

from mvlpt.data.sources import known_tasks

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "tasks.md").read_text(encoding="utf-8")


def test_every_data_set_has_its_row():
    for family in ("elevater", "coop"):
        for metadata in known_tasks(family):
            sizes = " / ".join(f"{size:,}" if size else "–" for size in metadata.sizes)
            assert f"| {metadata.name} | {metadata.num_classes} | {sizes} |" in PAGE
            assert (f"`tasks.py download {metadata.name}`" in PAGE) == metadata.downloads


def test_commands_on_the_page_are_the_programs():
    from mvlpt.cli import submission, tasks

    for program, module in (("tasks", tasks), ("submission", submission)):
        verbs = set(re.findall(rf"`{program}\.py (\w+)", PAGE))
        known = module.build_parser().format_help()
        assert verbs
        assert all(verb in known for verb in verbs)
