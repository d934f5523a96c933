"""Datum, DatasetBase, building by name, base and new classes."""

import random

import pytest

from mvlpt.data import DATASET_REGISTRY, DatasetBase, Datum, build_dataset
from mvlpt.data.sampling import subsample_classes
from mvlpt.errors import ConfigError, DataError, UnknownNameError


def _items(labels):
    return [Datum(f"{place}.png", label, classname=f"c{label}") for place, label in enumerate(labels)]


def test_datum_fields_are_read_only_in_public_and_writeable_in_private():
    item = Datum("a.png", 3, 1, "cat")
    assert (item.impath, item.label, item.domain, item.classname) == ("a.png", 3, 1, "cat")
    with pytest.raises(AttributeError):
        item.label = 4
    item._label += 10
    assert item.label == 13
    assert Datum("a.png", [2, 0]).label == (2, 0)
    with pytest.raises(DataError, match="must be a string"):
        Datum(3)
    for label in ("12", 3.0, None):
        with pytest.raises(DataError, match=rf"label of a\.png is {label!r}; give the number of its class"):
            Datum("a.png", label)


def test_class_names_are_collected_from_training_images_in_label_order():
    data = DatasetBase(train_x=_items([2, 0, 1, 2]), test=_items([1]))
    assert data.classnames == ["c0", "c1", "c2"]
    assert data.lab2cname == {0: "c0", 1: "c1", 2: "c2"}
    assert data.num_classes == 3
    assert data.name == "DatasetBase"


def test_class_without_training_image_takes_its_name_from_another_split():
    assert DatasetBase(train_x=_items([0, 2]), test=_items([1])).classnames == ["c0", "c1", "c2"]
    with pytest.raises(DataError, match="Class 1"):
        DatasetBase(train_x=_items([0, 2]), test=_items([0]))


def test_label_outside_the_classes_and_empty_training_list_are_refused():
    with pytest.raises(DataError, match="label 3, but there are 2 classes"):
        DatasetBase(train_x=_items([0, 1]), test=_items([3]))
    with pytest.raises(DataError, match="no training images"):
        DatasetBase(train_x=[], test=_items([0]))
    assert DatasetBase(test=_items([0]), classnames=["c0"]).train_x is None


def test_multi_label_data_set_needs_class_names():
    class Multi(DatasetBase):
        multi_label = True

    with pytest.raises(DataError, match="must pass its class names"):
        Multi(train_x=[Datum("a.png", (0, 1))])
    assert Multi(train_x=[Datum("a.png", (0, 1))], classnames=["a", "b"]).num_classes == 2


def test_private_fields_stay_writeable_as_multitask_code_expects():
    data = DatasetBase(train_x=_items([0]))
    data._classnames, data._lab2cname, data._num_classes = ["x", "y"], {0: "x", 1: "y"}, 2
    assert (data.classnames, data.lab2cname, data.num_classes) == (["x", "y"], {0: "x", 1: "y"}, 2)


def test_domains_are_checked():
    class Shifted(DatasetBase):
        domains = ("photo", "sketch")

        def __init__(self):
            self.check_input_domains(["photo"], ["paint"])

    with pytest.raises(DataError, match=r"no domain 'paint'; it has \['photo', 'sketch'\]"):
        Shifted()


def test_splitting_keeps_the_order_of_first_appearance():
    data = DatasetBase(train_x=_items([1, 0, 1]))
    assert list(data.split_dataset_by_label(data.train_x)) == [1, 0]
    assert list(data.split_dataset_by_domain(data.train_x)) == [0]


def test_few_shot_samples_are_those_of_dassl_whatever_was_drawn_before(make_cfg):
    class Pets(DatasetBase):
        def __init__(self, cfg):
            self.first = self.generate_fewshot_dataset(_items([0, 1] * 20), num_shots=3)
            self.second = self.generate_fewshot_dataset(_items([0, 1] * 20), num_shots=3)
            self.both = self.generate_fewshot_dataset(_items([0, 1] * 20), _items([0, 1]), num_shots=3)
            super().__init__(train_x=self.first)

    def paths(items):
        return [item.impath for item in items]

    def drawn(stream):
        """What the global generator gives after random.seed(), class by class, as Dassl draws."""
        items = _items([0, 1] * 20)
        return [path for label in (0, 1) for path in paths(stream.sample(items[label::2], 3))]

    stream = random.Random(1)
    random.seed(99)
    data, again, other = Pets(make_cfg(SEED=1)), Pets(make_cfg(SEED=1)), Pets(make_cfg(SEED=2))
    assert paths(data.first) == drawn(stream)
    assert paths(data.second) == drawn(stream), "one stream goes on from call to call"
    assert paths(data.first) == paths(again.first) != paths(other.first)
    assert len(data.both[1]) == 2
    everything = _items([0])
    assert data.generate_fewshot_dataset(everything) is everything
    assert len(data.generate_fewshot_dataset(_items([0, 1]), num_shots=3, repeat=True)) == 6


def test_registered_name_is_the_tasks_name_before_the_sample_is_drawn(make_cfg):
    class Impl(DatasetBase):
        def __init__(self, cfg):
            self.seen = (self.name, cfg.DATASET.NAME)
            super().__init__(train_x=_items([0]))

    DATASET_REGISTRY.register(Impl, name="some task")
    try:
        cfg = make_cfg(DATASET__NAME="other")
        assert build_dataset(cfg, "some task").seen == ("some task", "some task")
        assert cfg.DATASET.NAME == "other"
        with pytest.raises(UnknownNameError, match="did you mean 'some task'"):
            build_dataset(cfg, "some tasks")
    finally:
        DATASET_REGISTRY._entries.pop("some task")


def test_no_name_two_names_and_equal_names_are_refused(make_cfg):
    with pytest.raises(ConfigError, match="No data set is named"):
        build_dataset(make_cfg())
    with pytest.raises(ConfigError, match="names 2"):
        build_dataset(make_cfg(DATASET__NAME="a,b"))
    with pytest.raises(ConfigError, match="'a' is named twice"):
        build_dataset(make_cfg(DATASET__DATASET="a, a"))


def test_base_and_new_classes_are_halves_counted_from_zero():
    train, test = _items([0, 1, 2, 3, 4]), _items([4, 0, 3])
    base = subsample_classes(train, test, subsample="base")
    assert [[item.label for item in items] for items in base] == [[0, 1, 2], [0]]
    new = subsample_classes(train, test, subsample="new")
    assert [[(item.label, item.classname) for item in items] for items in new] == [
        [(0, "c3"), (1, "c4")],
        [(1, "c4"), (0, "c3")],
    ]
    assert [item.label for item in train] == [0, 1, 2, 3, 4]
    assert subsample_classes(train, subsample="all") == [train]
    with pytest.raises(ConfigError, match="did you mean 'base'"):
        subsample_classes(train, subsample="bases")
    with pytest.raises(DataError, match="leaves no class"):
        subsample_classes(_items([0]), subsample="new")
