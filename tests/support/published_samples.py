"""Published few-shot samples in miniature, written as their authors' programs write them."""

from __future__ import annotations

import json
import pickle
import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Rows = Mapping[str, Sequence[tuple[str, int, str]]]  # path, label and class name of each image, by split


def write_coop_pickle(path: Path, rows: Rows, folder: str, *, kind: Any = int) -> Path:
    """What CoOp keeps: ``{"train": [Datum], "val": [Datum]}`` with absolute paths, of Dassl's class.

    Args:
        path: the file.
        rows: the images.
        folder: of the images on the machine that wrote it.
        kind: of the labels; some forks leave NumPy's.
    """
    names = ["dassl", "data", "datasets", "base_dataset"]
    modules = {".".join(names[: n + 1]): types.ModuleType(".".join(names[: n + 1])) for n in range(len(names))}
    item_class = type("Datum", (), {"__module__": ".".join(names), "__qualname__": "Datum"})
    modules[".".join(names)].Datum = item_class

    def item(image, label, name):
        made = item_class()
        made._impath, made._label, made._domain, made._classname = f"{folder}/{image}", kind(label), 0, name
        return made

    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        content = {split: [item(*row) for row in listed] for split, listed in rows.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(content, protocol=pickle.HIGHEST_PROTOCOL))
    finally:
        for name, module in before.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
    return path


def write_cross_modal(path: Path, rows: Rows, folder: str) -> Path:
    """The indices of cross-modal adaptation: objects below ``data``, beside their positions in the split."""
    content = {
        split: {
            "data": [{"impath": f"{folder}/{row[0]}", "label": row[1], "classname": row[2]} for row in listed],
            "indices": list(range(len(listed))),
        }
        for split, listed in rows.items()
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4))
    return path


def write_lines(
    path: Path, rows: Rows, folder: str = "", columns: Sequence[str] = ("path", "label", "classname")
) -> Path:
    """JSON lines."""
    lines = []
    for split, listed in rows.items():
        for image, *rest in listed:
            line = dict(zip(columns, (f"{folder}{image}", *rest), strict=True))
            lines.append(json.dumps({"split": split, **line}))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path
