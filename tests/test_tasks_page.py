"""The page on tasks names every data set with the numbers of the table, and only commands that exist."""

import re
from pathlib import Path

from mvlpt.data.sources.task_table import known_tasks

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "tasks.md").read_text(encoding="utf-8")


def test_every_data_set_has_its_row():
    for family in ("elevater", "coop"):
        for facts in known_tasks(family):
            sizes = " / ".join(f"{size:,}" if size else "–" for size in facts.sizes)
            assert f"| {facts.name} | {facts.num_classes} | {sizes} |" in PAGE
            assert (f"`tasks.py download {facts.name}`" in PAGE) == facts.downloads


def test_commands_on_the_page_are_the_programs():
    from mvlpt.cli import submission, tasks

    for program, module in (("tasks", tasks), ("submission", submission)):
        verbs = set(re.findall(rf"`{program}\.py (\w+)", PAGE))
        known = module.build_parser().format_help()
        assert verbs
        assert all(verb in known for verb in verbs)
