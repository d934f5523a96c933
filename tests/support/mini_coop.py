"""CoOp's data sets in miniature: split files, the raw lists they can be built from, and ImageNet's shifted versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import savemat

from mvlpt.data.sources import task_metadata
from support.mini_tasks import write_class_folders, write_picture
from support.mini_torchvision import write_cars_lists

WORDNET = {"n01440764": "tench", "n02123045": "tabby cat", "n04285008": "sports car"}
CLASSES = ("alpine_hut", "beach", "canyon")


def write_split_file(root: Path, name: str) -> Path:
    """A data set with its shared split file: three classes; 3 train, 2 val and 2 test images each."""
    metadata = task_metadata(name)
    folder = root / metadata.folder
    images = folder / metadata.images
    content: dict[str, list] = {"train": [], "val": [], "test": []}
    for split, count in (("train", 3), ("val", 2), ("test", 2)):
        for label, one in enumerate(CLASSES):
            for number in range(count):
                path = f"{one}/{split}_{number}.jpg"
                write_picture(images / path, 10 * label + number)
                content[split].append([path, label, one])
    (folder / metadata.split_file).write_text(json.dumps(content))
    return folder


def write_raw(root: Path, name: str) -> Path:
    """A data set as its authors distribute it, without a split file."""
    metadata = task_metadata(name)
    folder = root / metadata.folder
    folder.mkdir(parents=True)
    {**dict.fromkeys(("Food101", "DescribableTextures"), _plain), **RAW}[name](folder)
    return folder


def _plain(folder: Path) -> None:
    write_class_folders(folder / "images", CLASSES, ())


def _caltech(folder: Path) -> None:
    write_class_folders(folder / "101_ObjectCategories", ["BACKGROUND_Google", "Faces", "Faces_easy", "airplanes"], ())


def _eurosat(folder: Path) -> None:
    write_class_folders(folder / "2750", ["AnnualCrop", "River", "SeaLake"], ())


def _pets(folder: Path) -> None:
    (folder / "annotations").mkdir()
    for split, count in (("trainval", 10), ("test", 2)):
        rows = []
        for label, breed in enumerate(("Abyssinian", "great_pyrenees"), start=1):
            for number in range(count):
                image = f"{breed}_{number + 100 * (split == 'test')}"
                write_picture(folder / "images" / f"{image}.jpg", number)
                rows.append(f"{image} {label} 1 1")
        (folder / "annotations" / f"{split}.txt").write_text("\n".join(rows) + "\n")


def _cars(folder: Path) -> None:
    (folder / "devkit").mkdir()
    names = np.array([["AM General Hummer SUV 2000", "Audi S4 Sedan 2012"]], dtype=object)
    savemat(folder / "devkit" / "cars_meta.mat", {"class_names": names})
    write_cars_lists(folder, [1, 2] * 5, ("devkit/cars_train_annos.mat", "cars_test_annos_withlabels.mat"))


def _flowers(folder: Path) -> None:
    labels = [2, 1] * 10
    for number in range(1, len(labels) + 1):
        write_picture(folder / "jpg" / f"image_{number:05d}.jpg", number)
    savemat(folder / "imagelabels.mat", {"labels": np.array([labels])})
    (folder / "cat_to_name.json").write_text(json.dumps({"1": "pink primrose", "2": "bird of paradise"}))


def _aircraft(folder: Path) -> None:
    (folder / "variants.txt").write_text("707-320\nF-16A/B\n")
    for place, split in enumerate(("train", "val", "test")):
        rows = [(f"{place}{number:06d}", ("707-320", "F-16A/B")[number % 2]) for number in range(6)]
        for image, _ in rows:
            write_picture(folder / "images" / f"{image}.jpg", int(image))
        (folder / f"images_variant_{split}.txt").write_text("".join(f"{image} {name}\n" for image, name in rows))


def _sun(folder: Path) -> None:
    classes = ["/a/abbey", "/a/athletic_field/outdoor"]
    (folder / "ClassName.txt").write_text("\n".join(classes) + "\n")
    for file, count in (("Training_01.txt", 10), ("Testing_01.txt", 2)):
        rows = [f"{name}/sun_{file[:2]}{number}.jpg" for name in classes for number in range(count)]
        for number, row in enumerate(rows):
            write_picture(folder / "SUN397" / row[1:], number)
        (folder / file).write_text("\n".join(rows) + "\n")


def _ucf(folder: Path) -> None:
    lists = folder / "ucfTrainTestlist"
    lists.mkdir()
    actions = {"ApplyEyeMakeup": "Apply_Eye_Makeup", "YoYo": "Yo_Yo"}
    (lists / "classInd.txt").write_text("".join(f"{i} {action}\n" for i, action in enumerate(actions, start=1)))
    for file, count in (("trainlist01.txt", 10), ("testlist01.txt", 2)):
        rows = []
        for label, (action, spelled) in enumerate(actions.items(), start=1):
            for number in range(count):
                video = f"v_{action}_{file[:2]}{number}"
                write_picture(folder / "UCF-101-midframes" / spelled / f"{video}.jpg", number)
                rows.append(f"{action}/{video}.avi" + (f" {label}" if file[1] == "r" else ""))
        (lists / file).write_text("\n".join(rows) + "\n")


def _imagenet(folder: Path) -> None:
    for split, count in (("train", 3), ("val", 2)):
        _wordnet_folders(folder / "images" / split, count)
    _classnames(folder)


def _wordnet_folders(images: Path, count: int = 2) -> None:
    for wordnet_id in WORDNET:
        for number in range(count):
            write_picture(images / wordnet_id / f"{number}.JPEG", number)


def _classnames(folder: Path) -> None:
    (folder / "classnames.txt").write_text("".join(f"{wordnet_id} {name}\n" for wordnet_id, name in WORDNET.items()))


def _v2(folder: Path) -> None:
    images = folder / "imagenetv2-matched-frequency-format-val"
    for label in range(len(WORDNET)):
        write_picture(images / str(label) / "0.jpeg", label)
    _classnames(folder)


RAW: dict[str, Callable[[Path], None]] = {
    "Caltech101": _caltech,
    "EuroSAT": _eurosat,
    "OxfordPets": _pets,
    "StanfordCars": _cars,
    "OxfordFlowers": _flowers,
    "FGVCAircraft": _aircraft,
    "SUN397": _sun,
    "UCF101": _ucf,
    "ImageNet": _imagenet,
    "ImageNetV2": _v2,
    "ImageNetSketch": lambda folder: _wordnet_folders(folder / "images"),
    "ImageNetA": lambda folder: _wordnet_folders(folder / "imagenet-a"),
    "ImageNetR": lambda folder: _wordnet_folders(folder / "imagenet-r"),
}
