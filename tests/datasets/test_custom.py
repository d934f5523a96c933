"""A user's own folder or manifest as a task: YAML files, class lists, missing splits, and every complaint."""

import json
import logging
import zipfile
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from support.mini_tasks import encoded, write_class_folders, write_picture
from support.task_files import build, task_file, write_list
from support.toy import toy_config

import mvlpt.datasets
import mvlpt.trainers  # noqa: F401  (registers the trainers)
from mvlpt.config import get_cfg_default
from mvlpt.data import DataManager, read_image
from mvlpt.engine import run_config
from mvlpt.errors import DataError, UnknownNameError

BIRDS = ["blue_jay", "crow", "Wood Duck"]


def sizes(data):
    return tuple(len(items) for items in (data.train_x, data.val, data.test))


def test_folder_needs_no_file_at_all(tmp_path):
    write_class_folders(tmp_path / "birds", BIRDS)
    data = build(f"{tmp_path}/birds/")
    assert (data.name, data.split_origin, data.metric) == ("birds", "own", "accuracy")
    assert data.classnames == ["Wood Duck", "blue jay", "crow"]
    assert sizes(data) == (9, 6, 6)
    assert read_image(data.train_x[0].impath).size == (12, 10)


def test_ten_lines_make_a_folder_a_task(tmp_path):
    write_class_folders(tmp_path / "photos", BIRDS, ())
    path = task_file(
        tmp_path,
        """\
name: my birds
images: photos
classes:
  crow: [carrion crow, corvus corone]
  blue_jay: blue jay
  Wood Duck: wood duck
templates: ["a photo of a {}, a type of bird."]
metric: mean-per-class
val_share: 0.1
test_share: 0.5
""",
    )
    data = build(path)
    assert (data.name, data.metric, data.split_origin) == ("my birds", "mean-per-class", "rule")
    assert data.classnames == ["carrion crow", "blue jay", "wood duck"]
    assert data.synonyms == {0: ("corvus corone",)}
    assert data.templates == ("a photo of a {}, a type of bird.",)
    assert sizes(data) == (12, 3, 15)
    assert Counter(item.label for item in data.test) == dict.fromkeys(range(3), 5)
    assert len({item.impath for item in (*data.train_x, *data.val, *data.test)}) == 30


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ((), (15, 6, 9)),
        (("train", "test"), (6, 3, 6)),
        (("train", "valid"), (6, 9, 3)),
        (("training", "validation", "testing"), (30, 30, 30)),
        (("test",), (0, 0, 6)),
    ],
)
def test_missing_splits_are_cut_from_train_by_rule(tmp_path, splits, expected):
    per_class = {"valid": 3}
    write_class_folders(tmp_path / "birds", BIRDS, splits)
    if "valid" in splits:
        for folder in (tmp_path / "birds" / "valid").iterdir():
            for surplus in sorted(folder.iterdir())[per_class["valid"] :]:
                surplus.unlink()
    data = build(f"{tmp_path}/birds")
    assert sizes(data) == expected
    again = build(f"{tmp_path}/birds", NUM_SHOTS=1)
    assert [item.impath for item in again.test] == [item.impath for item in data.test]


def test_share_of_nothing_leaves_no_val_split(tmp_path):
    write_class_folders(tmp_path / "photos", BIRDS, ())
    data = build(task_file(tmp_path, images="photos", val_share=0))
    assert (sizes(data), data.split_origin) == ((21, 0, 9), "rule")
    write_class_folders(tmp_path / "birds", BIRDS, ("train", "test"))
    data = build(task_file(tmp_path, images="birds", val_share=0))
    assert (sizes(data), data.split_origin) == ((9, 0, 6), "own")  # nothing was split


def test_manifest_of_several_labels_and_archives(tmp_path):
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for number in range(12):
            archive.writestr(f"in/{number}.jpg", encoded(number))
    rows = [{"path": f"pictures.zip@in/{n}.jpg", "labels": [["sea", "sun"], ["sun"], []][n % 3]} for n in range(12)]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = build(task_file(tmp_path, manifest="labels.jsonl"))
    assert (data.multi_label, data.metric, data.classnames) == (True, "11point_mAP", ["sea", "sun"])
    labels = Counter(item.label for item in (*data.train_x, *data.val, *data.test))
    assert labels == {(0, 1): 4, (1,): 4, (): 4}
    write_list(tmp_path, ["1.jpg,sea;sun", "2.jpg,sun", "3.jpg,sea", "4.jpg,sun"])
    separated = build(task_file(tmp_path, manifest="labels.csv", name="two.yaml", val_share=0, test_share=0))
    assert separated.multi_label
    assert sorted(item.label for item in separated.train_x) == [(0,), (0, 1), (1,), (1,)]


def test_one_manifest_for_each_split(tmp_path):
    write_list(tmp_path, ["1.jpg,crow", "2.jpg,owl"], "a.csv")
    write_list(tmp_path, ["3.jpg,owl"], "b.csv")
    data = build(task_file(tmp_path, manifest={"train": "a.csv", "test": "b.csv"}, val_share=0))
    assert sizes(data) == (2, 0, 1)
    assert data.classnames == ["crow", "owl"]


def test_columns_that_data_sets_in_the_wild_have(tmp_path):
    write_picture(tmp_path / "img" / "42.png", 1)
    rows = [{"id": 42, "img": "img/42.png", "label": 1, "text": "a caption, with; signs"}]
    (tmp_path / "train.jsonl").write_text(json.dumps(rows[0]) + "\n")
    (tmp_path / "dev.csv").write_text("index,filename,category\n0,img/43.jpg,meme\n")
    write_picture(tmp_path / "img" / "43.jpg", 2)
    files = {"train": "train.jsonl", "test": "dev.csv"}
    data = build(task_file(tmp_path, manifest=files, classes=["meme", "hatespeech meme"], metric="roc_auc"))
    assert ([item.label for item in data.train_x], [item.label for item in data.test]) == ([1], [0])
    assert data.metric == "roc_auc"


def test_class_file_may_bring_templates(tmp_path):
    write_class_folders(tmp_path / "photos", ["crow", "owl"])
    (tmp_path / "classes.json").write_text('{"classes": ["owl", ["crow", "raven"]], "templates": ["my {}."]}')
    data = build(task_file(tmp_path, images="photos", classes="classes.json"))
    assert (data.classnames, data.templates, data.synonyms) == (["owl", "crow"], ("my {}.",), {1: ("raven",)})


def test_base_and_new_classes_keep_their_synonyms(tmp_path):
    write_class_folders(tmp_path / "photos", ["crow", "owl"])
    path = task_file(tmp_path, images="photos", classes=["owl", ["crow", "raven"]])
    data = build(path, SUBSAMPLE_CLASSES="new")
    assert (data.classnames, data.synonyms) == (["crow"], {0: ("raven",)})


def test_own_tasks_train_together_from_the_command_line_s_options(tmp_path):
    write_class_folders(tmp_path / "photos", ["crow", "owl"])
    write_list(tmp_path, [f"{n}.jpg,{['sea', 'sun'][n % 2]}" for n in range(20)])
    first = task_file(tmp_path, images="photos")
    second = task_file(tmp_path, manifest="labels.csv", name="places.yaml")
    options = {"DATASET__DATASET": f"{first},{second}", "OPTIM__MAX_EPOCH": 1, "DATASET__MULTITASK_EVALKEY": "birds"}
    rows = run_config(toy_config(tmp_path / "run", **options)).rows
    assert [(row["task"], row["n"]) for row in rows] == [("birds", 4), ("places", 6)]


def test_two_tasks_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        write_class_folders(tmp_path / folder / "birds", ["crow", "owl"])
    cfg = get_cfg_default()
    cfg.SEED, cfg.VERBOSE = 1, False
    cfg.DATASET.DATASET = f"{tmp_path}/a/birds,{tmp_path}/b/birds"
    for protocol in ("independent", "mvlpt"):
        cfg.DATASET.SAMPLING = protocol
        with pytest.raises(DataError, match="Two tasks are named 'birds'"):
            DataManager(cfg)


def test_class_with_fewer_images_than_shots_gives_all_and_says_so(tmp_path, caplog):
    write_class_folders(tmp_path / "birds", BIRDS)
    with caplog.at_level(logging.WARNING):
        data = build(f"{tmp_path}/birds", NUM_SHOTS=5)
    assert sizes(data) == (9, 6, 6)
    assert "3 of 3 classes have fewer than 5 train images" in caplog.text


def test_shapes_on_a_transparent_ground_reach_the_batches(tmp_path):
    for label, name in enumerate(["disc", "square"]):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(8):
            shape = np.zeros((32, 32, 4), np.uint8)
            shape[8:24, 8:24, 3] = 255 if label else 0
            Image.fromarray(shape, "RGBA").save(tmp_path / "photos" / name / f"{number}.png")
    for options, light in (({}, {0: 1.0, 1: 0.75}), ({"transparency": "drop"}, {0: 0.0, 1: 0.0})):
        cfg = get_cfg_default()
        cfg.merge_from_list(["DATASET.NAME", str(task_file(tmp_path, images="photos", **options)), "SEED", 1])
        cfg.merge_from_list(["INPUT.SIZE", (32, 32), "DATALOADER.NUM_WORKERS", 0, "VERBOSE", False])
        with DataManager(cfg) as data:
            (batch,) = data.train_loader_x
        means = {int(label): float(img.mean()) for img, label in zip(batch["img"], batch["label"], strict=True)}
        assert means == pytest.approx(light)


def test_json_lines_end_at_line_feeds_only(tmp_path):
    rows = [json.dumps({"path": f"{n}.jpg", "label": "a\u2028b"}, ensure_ascii=False) for n in range(3)]
    for number in range(3):
        write_picture(tmp_path / f"{number}.jpg", number)
    (tmp_path / "labels.jsonl").write_text("\r\n".join(rows), encoding="utf-8")
    assert build(task_file(tmp_path, manifest="labels.jsonl")).classnames == ["a\u2028b"]


@pytest.mark.parametrize(
    ("metric", "labels", "message"),
    [
        ("accuracy", ["a;b", "a"], "accuracy needs one class per image"),
        ("macro_f1", ["a;b", "a"], "macro_f1 needs one class per image"),
        ("roc_auc", ["a", "b", "c"], "roc_auc needs two classes, but there are 3"),
    ],
)
def test_a_metric_that_cannot_be_computed_is_refused_before_training(tmp_path, metric, labels, message):
    write_list(tmp_path, [f"{number}.jpg,{label}" for number, label in enumerate(labels)])
    with pytest.raises(DataError, match=rf"birds\.yaml: {message}"):
        build(task_file(tmp_path, manifest="labels.csv", metric=metric))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: birds", "a task needs 'images'"),
        ("images: nowhere", r"the folder of the images, .*nowhere, does not exist"),
        ("imags: photos", "there is no key 'imags'; did you mean 'images'"),
        ("images: photos\nmetric: acuracy", r"birds\.yaml: No metric is named 'acuracy'"),
        ("images: photos\nmetric: [accuracy]", r"birds\.yaml: 'metric' must be a name"),
        ("images: photos\nname: {a: 1}", "'name' must be a string"),
        ("images: photos\nclasses: [{crow: 1}, owl]", "put it in quotes"),
        ("images: photos\nval_share: 1.5", "val_share is 1.5; it must be at least 0 and below 1"),
        ("images: photos\nval_share: 0.5\ntest_share: 0.6", "must not be negative and must add up to less than 1"),
        ("images: photos\ntemplates: [no place]", r"must contain exactly one \{\}"),
        ("images: photos\ntemplates: ['{} {0}']", r"must contain exactly one \{\}"),
        ("images: photos\nname: a,b", "must not contain a comma"),
        ("images: photos\nname: .b", "'.b' cannot be a task's name; it must not begin with a dot"),
        ("images: photos\nclasses: [crow]", "'owl' is none of the 1 classes"),
        ("images: photos\nclasses: [crow, owl, crow]", "the class 'crow' is listed twice"),
        ("images: photos\nclasses: 7", "classes must be a list of names"),
        ("images: photos\nclasses: gone.txt", r"gone\.txt does not exist"),
        ("images: photos\ntransparency: black", "transparency must be white or drop, not 'black'"),
        ("images: photos\nmulti_label: true", "multi_label needs a manifest"),
        ("images: empty", "contains no class folders"),
        ("manifest: gone.csv", r"gone\.csv does not exist"),
        ("manifest: {train: }", r"birds\.yaml: 'manifest: train' must be a path, not ''"),
        ("manifest: {tarin: a.csv}", "no split 'tarin'; did you mean 'train'"),
        ("images: [photos]", "'images' must be a path"),
        ("- a list", "must contain keys and values"),
        ("a: [", "not valid YAML"),
        ("!!python/object/apply:os.system ['false']", "not valid YAML"),
    ],
)
def test_bad_task_file_is_refused_in_one_sentence(tmp_path, text, message):
    write_class_folders(tmp_path / "photos", ["crow", "owl"], ())
    (tmp_path / "empty").mkdir()
    with pytest.raises((DataError, UnknownNameError), match=message):
        build(task_file(tmp_path, text))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["path,label", "../x.jpg,crow"], r"labels\.csv:2: the path '\.\./x\.jpg' leaves"),
        (["path,label", "/etc/x.jpg,crow"], "leaves the data set's folder"),
        (["path,label", "pictures.zip@../x.jpg,crow"], "leaves the data set's folder"),
        (["path,label", "1.jpg,crow", "1.jpg,owl"], r"labels\.csv:3: 1\.jpg is already listed in .*:2"),
        (["path,label", "1.jpg,crow", ".//1.jpg,owl"], r"labels\.csv:3: \.//1\.jpg is already listed in .*:2"),
        (["path,label", "gone.png,crow"], r"gone\.png does not exist"),
        (["path,label", "1.jpg,dodo"], "'dodo' is none of the 2 classes"),
        (["path,label", "1.jpg,7"], "'7' is none of the 2 classes"),
        (["path,label", f"1.jpg,{'7' * 5000}"], "7' is none of the 2 classes"),
        (["path,label", "1.jpg,"], "this one has 0"),
        (["path,label", "1.jpg,crow;owl"], "this one has 2"),
        (["path,label,split", "1.jpg,crow,trian"], "there is no split 'trian'; did you mean 'train'"),
        (["path,label,split", "1.jpg,crow,train", "2.jpg,owl,"], "this line has no split, but others do"),
        (["path,label,Path", "1.jpg,crow,2.jpg"], r"labels\.csv:1: the columns 'path' and 'Path' mean the same"),
        (["path,lable", "1.jpg,crow"], "needs the columns 'path' and 'label', it has path, lable"),
        (["path,label", "1.jpg,crow,train,9"], "4 columns, but 2 are expected"),
        (["path,label"], "lists no image"),
        (["path,label", "bad.zip@1.jpg,crow"], r"bad\.zip cannot be opened, it may be truncated"),
        (["path,label", "link.zip@1.jpg,crow"], r"link\.zip has no file '1\.jpg'"),
    ],
)
def test_bad_manifest_is_refused_in_one_sentence(tmp_path, rows, message):
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 cut")
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        entry = zipfile.ZipInfo("1.jpg")
        entry.external_attr = 0o120777 << 16  # a symbolic link
        archive.writestr(entry, "/etc/passwd")
    write_list(tmp_path, rows)
    path = task_file(tmp_path, manifest="labels.csv", classes=["crow", "owl"], multi_label=False)
    with pytest.raises(DataError, match=message):
        build(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not readable JSON"),
        ("[1]", "must be a JSON object"),
        ('{"path": "1.jpg"}', "needs the columns 'path' and 'label'"),
        ('{"path": "", "label": "a"}', "the path is empty"),
        ('{"path": "1.jpg", "label": true}', "the label True is neither a name nor a number"),
        ('{"path": "1.jpg", "label": [["a"]]}', "is neither a name nor a number"),
    ],
)
def test_bad_json_line_is_refused(tmp_path, line, message):
    (tmp_path / "labels.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=message):
        build(task_file(tmp_path, manifest="labels.jsonl"))


def test_missing_task_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.yaml does not exist"):
        build(tmp_path / "gone.yaml")


def test_a_task_file_may_ask_for_whole_images(tmp_path):
    write_class_folders(tmp_path / "photos", ["crow", "owl"], ())
    assert build(task_file(tmp_path, images="photos")).center_crop
    assert not build(task_file(tmp_path, images="photos", center_crop=False)).center_crop
    with pytest.raises(DataError, match="center_crop must be true or false, not 'no way'"):
        build(task_file(tmp_path, images="photos", center_crop="no way"))


def test_the_former_module_and_names_work_and_warn():
    from mvlpt.datasets import custom, own

    with pytest.warns(DeprecationWarning, match="mvlpt.datasets.custom.custom_task"):
        former = own.own_task
    with pytest.warns(DeprecationWarning, match=r"custom\.CustomTask"):
        assert own.OwnTask.__name__ == "CustomTask"
    assert former is custom.custom_task
    with pytest.raises(AttributeError, match="'nothing'"):
        _ = own.nothing
