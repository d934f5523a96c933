"""ELEVATER's tasks in miniature as torchvision lays them out, every class on its real file formats."""

from __future__ import annotations

import csv
import hashlib
import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from mvlpt.data.sources import prompt_metadata, read_benchmark, task_metadata
from support.mini_tasks import picture, some_labels, write_picture

SPLITS = ("train", "val", "test")


def write_torchvision(root: Path, name: str, monkeypatch: Any) -> list[int]:
    """One task in torchvision's layout. Checksums that torchvision knows are replaced by those of the small files.

    Returns:
        The labels, in the benchmark's order, of the training images in the order of torchvision.
    """
    return LAYOUTS[name](root, monkeypatch)


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def _arrays(labels: list[int], size: tuple[int, int]) -> np.ndarray:
    return np.stack([np.asarray(picture(number, size)) for number, _ in enumerate(labels)])


def _caltech(root: Path, _: Any) -> list[int]:
    labels = read_benchmark("elevater")["tasks"]["caltech-101"]["torchvision"]["order"]
    folders = ["BACKGROUND_Google", "Faces", "accordion", "yin_yang"]
    for folder in folders:
        for number in range(1, 7):
            write_picture(root / "caltech101" / "101_ObjectCategories" / folder / f"image_{number:04d}.jpg", number)
    return [labels[folder] for folder in sorted(folders[1:]) for _ in range(6)]


def _cifar(name: str, cls: str, folder: str, key: str, files: tuple[list[str], list[str], str]) -> Callable:
    def write(root: Path, monkeypatch: Any) -> list[int]:
        from torchvision import datasets

        base = root / folder
        base.mkdir(parents=True)
        names = sorted(prompt_metadata(name).classnames)
        raw = some_labels(len(names)) * 2
        for file in (*files[0], *files[1]):
            pixels = _arrays(raw, (32, 32)).transpose(0, 3, 1, 2).reshape(len(raw), -1)
            (base / file).write_bytes(pickle.dumps({"data": pixels, key: raw}))
        label_key = "label_names" if key == "labels" else "fine_label_names"
        (base / files[2]).write_bytes(pickle.dumps({label_key: [one.replace(" ", "_") for one in names]}))
        owner = getattr(datasets, cls)
        monkeypatch.setattr(owner, "train_list", [[file, _md5(base / file)] for file in files[0]])
        monkeypatch.setattr(owner, "test_list", [[file, _md5(base / file)] for file in files[1]])
        monkeypatch.setattr(owner, "meta", {**owner.meta, "md5": _md5(base / files[2])})
        ours = prompt_metadata(name).classnames
        return [ours.index(names[label]) for label in raw * len(files[0])]

    return write


def _class_folders(name: str, folder: str, splits: tuple[str, ...], names: list[str], suffix: str) -> Callable:
    """An image folder with every class, two images each."""

    def write(root: Path, _: Any) -> list[int]:
        for split in splits:
            for label, one in enumerate(names):
                for number in range(1 if len(names) > 100 else 3):
                    write_picture(root / folder / split / one / f"{number}{suffix}", label + number)
        return [label for label in range(len(names)) for _ in range(1 if len(names) > 100 else 3)]

    return write


def _dtd(root: Path, _: Any) -> list[int]:
    names = prompt_metadata("dtd").classnames
    for split in SPLITS:
        rows = [f"{name}/{name}_{split}.jpg" for name in names]
        for number, row in enumerate(rows):
            write_picture(root / "dtd" / "dtd" / "images" / row, number)
        labels = root / "dtd" / "dtd" / "labels" / f"{split}1.txt"
        labels.parent.mkdir(exist_ok=True)
        labels.write_text("\n".join(rows) + "\n")
    return list(range(len(names)))


def _fer(root: Path, monkeypatch: Any) -> list[int]:
    from torchvision import datasets

    (root / "fer2013").mkdir(parents=True)
    path = root / "fer2013" / "fer2013.csv"
    rows = [(code, usage) for usage in ("Training", "PublicTest", "PrivateTest") for code in (0, 4, 6) for _ in "ab"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for number, (code, usage) in enumerate(rows):
            grey = np.asarray(picture(number, (48, 48)).convert("L")).ravel()
            writer.writerow([code, " ".join(map(str, grey)), usage])
    monkeypatch.setattr(
        datasets.FER2013, "_RESOURCES", {**datasets.FER2013._RESOURCES, "fer": ("fer2013.csv", _md5(path))}
    )
    return [0, 0, 5, 5, 4, 4]


def _aircraft(root: Path, _: Any) -> list[int]:
    data = root / "fgvc-aircraft-2013b" / "data"
    data.mkdir(parents=True)
    ours = prompt_metadata("fgvc-aircraft-2013b-variants102").classnames
    names = sorted(name.replace("F-16A-B", "F-16A/B").replace("F-A-18", "F/A-18") for name in ours)
    (data / "variants.txt").write_text("\n".join(names) + "\n")
    chosen = ["F-16A/B", names[0], names[-1]]
    for place, split in enumerate(SPLITS):
        rows = [(f"{place}{number:06d}", name) for number, name in enumerate(chosen * 2)]
        for image, _name in rows:
            write_picture(data / "images" / f"{image}.jpg", int(image))
        (data / f"images_variant_{split}.txt").write_text("".join(f"{image} {name}\n" for image, name in rows))
    return [ours.index(name.replace("/", "-")) for name in chosen * 2]


def _food(root: Path, _: Any) -> list[int]:
    base = root / "food-101"
    (base / "meta").mkdir(parents=True)
    ours = [name.replace(" ", "_") for name in prompt_metadata("food-101").classnames]
    chosen = sorted(["cheesecake", "cheese_plate", "apple_pie"])
    for split in ("train", "test"):
        rows = {name: [f"{name}/{split}{number}" for number in range(2)] for name in chosen}
        (base / "meta" / f"{split}.json").write_text(json.dumps(rows))
        for number, path in enumerate(path for paths in rows.values() for path in paths):
            write_picture(base / "images" / f"{path}.jpg", number)
    return [ours.index(name) for name in chosen for _ in range(2)]


def _gtsrb(root: Path, _: Any) -> list[int]:
    base = root / "gtsrb"
    for label in range(43):
        write_picture(base / "GTSRB" / "Training" / f"{label:05d}" / "00000_00000.ppm", label)
    rows = [("00000.ppm", 7), ("00001.ppm", 42)]
    for name, label in rows:
        write_picture(base / "GTSRB" / "Final_Test" / "Images" / name, label)
    lines = ["Filename;Width;Height;ClassId", *(f"{name};12;10;{label}" for name, label in rows)]
    (base / "GT-final_test.csv").write_text("\n".join(lines) + "\n")
    return list(range(43))


def _kitti(root: Path, _: Any) -> list[int]:
    base = root / "Kitti" / "raw" / "training"
    (base / "label_2").mkdir(parents=True)
    scenes = [[("Car", 7.5), ("Pedestrian", 2.0)], [("Van", 20.0)], [("Truck", 60.0)], [("Cyclist", 3.0)]] * 8
    for number, things in enumerate(scenes):
        write_picture(base / "image_2" / f"{number:06d}.png", number)
        lines = [f"{kind} 0.00 0 -1.5 1 2 3 4 1.5 1.6 3.7 0.5 1.6 {z} 0.1" for kind, z in things]
        (base / "label_2" / f"{number:06d}.txt").write_text("\n".join(lines) + "\n")
    return [0, 1, 2, 3] * 8


def _mnist(root: Path, _: Any) -> list[int]:
    base = root / "MNIST" / "raw"
    base.mkdir(parents=True)
    labels = [5, 0, 9, 5, 0, 9]
    pixels = np.stack([np.asarray(picture(number, (28, 28)).convert("L")) for number in range(len(labels))])
    for prefix in ("train", "t10k"):
        head = struct.pack(">IIII", 0x803, len(labels), 28, 28)
        (base / f"{prefix}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        (base / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, len(labels)) + bytes(labels))
    return labels


def _flowers(root: Path, monkeypatch: Any) -> list[int]:
    from torchvision import datasets

    base = root / "flowers-102"
    labels = [77, 1, 102] * 4
    for number in range(1, len(labels) + 1):
        write_picture(base / "jpg" / f"image_{number:05d}.jpg", number)
    savemat(base / "imagelabels.mat", {"labels": np.array([labels])})
    savemat(base / "setid.mat", {"trnid": [[1, 2, 3, 4, 5, 6]], "valid": [[7, 8, 9]], "tstid": [[10, 11, 12]]})
    files = {"label": "imagelabels.mat", "setid": "setid.mat"}
    known = datasets.Flowers102._file_dict
    new = {**known, **{key: (file, _md5(base / file)) for key, file in files.items()}}
    monkeypatch.setattr(datasets.Flowers102, "_file_dict", new)
    return [label - 1 for label in labels[:6]]


def _pets(root: Path, _: Any) -> list[int]:
    base = root / "oxford-iiit-pet"
    (base / "annotations").mkdir(parents=True)
    ours = prompt_metadata("oxford-iiit-pets").classnames
    for split in ("trainval", "test"):
        rows = []
        for label, name in enumerate(ours, start=1):
            image = f"{name.replace(' ', '_')}_{label}{split}"
            write_picture(base / "images" / f"{image}.jpg", label)
            rows.append(f"{image} {label} 1 1")
        (base / "annotations" / f"{split}.txt").write_text("\n".join(rows) + "\n")
    return list(range(len(ours)))


def _pcam(root: Path, _: Any) -> list[int]:
    import h5py
    from torchvision import datasets

    base = root / "pcam"
    base.mkdir(parents=True)
    labels = [0, 1, 1, 0, 1, 0]
    for files in datasets.PCAM._FILES.values():
        with h5py.File(base / files["images"][0], "w") as file:
            file["x"] = _arrays(labels, (96, 96))
        with h5py.File(base / files["targets"][0], "w") as file:
            file["y"] = np.array(labels).reshape(-1, 1, 1, 1)
    return labels


def _cars(root: Path, _: Any) -> list[int]:
    base = root / "stanford_cars"
    (base / "devkit").mkdir(parents=True)
    ours = list(prompt_metadata("stanford-cars").classnames)
    names = [name.replace("Ram C V", "Ram C/V") for name in reversed(ours)]
    savemat(base / "devkit" / "cars_meta.mat", {"class_names": np.array([names], dtype=object)})
    raw = [1, 196, 20, 1, 196, 20]
    write_cars_lists(base, raw, ("devkit/cars_train_annos.mat", "cars_test_annos_withlabels.mat"))
    return [len(ours) - label for label in raw]


def write_cars_lists(base: Path, raw: list[int], lists: tuple[str, str]) -> None:
    """The two annotation files of the cars, and their images."""
    kind = np.dtype([("fname", object), ("class", object)])
    for folder, file in zip(("cars_train", "cars_test"), lists, strict=True):
        rows = np.array([(f"{number:05d}.jpg", label) for number, label in enumerate(raw, start=1)], dtype=kind)
        savemat(base / file, {"annotations": rows.reshape(1, -1)})
        for number in range(1, len(raw) + 1):
            write_picture(base / folder / f"{number:05d}.jpg", number)


def _voc(root: Path, _: Any) -> list[int]:
    base = root / "VOCdevkit" / "VOC2007"
    (base / "ImageSets" / "Main").mkdir(parents=True)
    (base / "Annotations").mkdir()
    thing = "<object><name>{}</name><difficult>{}</difficult></object>"
    scenes = [[("person", 0), ("dog", 0), ("dog", 0)], [("dog", 0), ("cat", 1)], [("tvmonitor", 0)]] * 2
    for place, split in enumerate(SPLITS):
        names = []
        for number, things in enumerate(scenes):
            name = f"{place}{number:05d}"
            write_picture(base / "JPEGImages" / f"{name}.jpg", number)
            xml = "".join(thing.format(*one) for one in things)
            (base / "Annotations" / f"{name}.xml").write_text(f"<annotation>{xml}</annotation>")
            names.append(name)
        (base / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(names) + "\n")
    ours = prompt_metadata("voc-2007-classification").classnames
    rows = [("dog", "person"), ("dog",), ("tvmonitor",)] * 2
    return [tuple(sorted(ours.index(one) for one in row)) for row in rows]


_CIFAR10 = ([f"data_batch_{i}" for i in range(1, 6)], ["test_batch"], "batches.meta")
LAYOUTS: dict[str, Callable[[Path, Any], list[Any]]] = {
    "caltech-101": _caltech,
    "cifar-10": _cifar("cifar-10", "CIFAR10", "cifar-10-batches-py", "labels", _CIFAR10),
    "cifar-100": _cifar("cifar-100", "CIFAR100", "cifar-100-python", "fine_labels", (["train"], ["test"], "meta")),
    "country211": _class_folders(
        "country211", "country211", ("train", "valid", "test"), [f"C{i:03d}" for i in range(211)], ".jpg"
    ),
    "dtd": _dtd,
    "eurosat_clip": _class_folders("eurosat_clip", "eurosat/2750", ("",), [f"C{i}" for i in range(10)], ".jpg"),
    "fer-2013": _fer,
    "fgvc-aircraft-2013b-variants102": _aircraft,
    "food-101": _food,
    "gtsrb": _gtsrb,
    "kitti-distance": _kitti,
    "mnist": _mnist,
    "oxford-flower-102": _flowers,
    "oxford-iiit-pets": _pets,
    "patch-camelyon": _pcam,
    "rendered-sst2": _class_folders(
        "rendered-sst2", "rendered-sst2", ("train", "valid", "test"), ["negative", "positive"], ".png"
    ),
    "stanford-cars": _cars,
    "voc-2007-classification": _voc,
}
assert set(LAYOUTS) == {row for row in read_benchmark("elevater")["tasks"] if task_metadata(row).torchvision}
