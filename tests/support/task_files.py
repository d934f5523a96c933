"""Task files and manifests written for tests, and the data sets built from them."""

import yaml

from mvlpt.config import get_cfg_default
from mvlpt.data import build_dataset
from support.mini_tasks import write_picture


def build(name, **options):
    cfg = get_cfg_default()
    cfg.SEED, cfg.VERBOSE = 1, False
    for key, value in options.items():
        cfg.DATASET[key] = value
    cfg.freeze()
    return build_dataset(cfg, str(name))


def task_file(folder, text="", name="birds.yaml", **keys):
    path = folder / name
    path.write_text(text or yaml.safe_dump(keys), encoding="utf-8")
    return path


def write_list(folder, rows, name="labels.csv"):
    for number, row in enumerate(rows):
        path = row.split(",")[0]
        if path.endswith(".jpg") and "@" not in path and ".." not in path:
            write_picture(folder / path, number)
    (folder / name).write_text("\n".join(rows) + "\n", encoding="utf-8")
