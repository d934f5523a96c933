"""A user's own folders of pictures: class folders with a few images each."""

from __future__ import annotations

from pathlib import Path

from support.toy import draw

FILE = "configs/trainers/MVLPT-CoOp/embedded.yaml"


def write_photos(folder: Path, classes: tuple[str, ...] = ("red", "blue"), each: int = 6) -> Path:
    """A folder of class folders; returns it."""
    for colour in classes:
        (folder / colour).mkdir(parents=True)
        for number in range(each):
            draw(colour, number, folder.name).save(folder / colour / f"{number}.png")
    return folder
