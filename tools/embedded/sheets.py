"""Contact sheets: every drawing of a subject by class, numbered, for auditing labels by eye."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from embedded.candidates import Candidate

COLUMNS, CELL, CAPTION, HEADING = 26, 50, 9, 13


def write(path: Path, classes: dict[str, dict[str, list[Candidate]]]) -> None:
    """Draws one sheet and, beside it, a text file that says which number is which drawing.

    Args:
        path: PNG to write.
        classes: class -> designer -> drawings of one subject.
    """
    rows = [(name, [d for who in sorted(classes[name]) for d in classes[name][who]]) for name in sorted(classes)]
    height = sum(HEADING + -(-len(drawings) // COLUMNS) * (CELL + CAPTION) for _, drawings in rows)
    sheet = Image.new("L", (COLUMNS * CELL, height), 255)
    pen = ImageDraw.Draw(sheet)
    key, y = [], 0
    for name, drawings in rows:
        pen.text((2, y), f"{name} ({len(drawings)})", fill=0)
        y += HEADING
        for i, drawing in enumerate(drawings):
            x, top = i % COLUMNS * CELL, y + i // COLUMNS * (CELL + CAPTION)
            sheet.paste(Image.fromarray(np.uint8(255) - drawing.alpha), (x + 1, top))
            pen.text((x + 2, top + CELL - 3), str(i), fill=90)
            key.append(f"{name} {i} {drawing.key}")
        y += -(-len(drawings) // COLUMNS) * (CELL + CAPTION)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    path.with_suffix(".txt").write_text("\n".join(key) + "\n")
