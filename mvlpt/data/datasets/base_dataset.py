"""The base class of data sets, with Dassl's interface and a random stream of its own for each task."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from mvlpt.data.datum import Datum, labels_of
from mvlpt.data.sampling.fewshot import stream_seed
from mvlpt.errors import DataError

__all__ = ["DatasetBase", "Datum"]


MOST_CLASSES = 10_000_000
_HALF = re.compile("[\ud800-\udfff]")  # of a surrogate pair


class DatasetBase:
    """A task: its images in splits, its class names, its metric.

    A Dassl-style subclass works unchanged: it reads its files in ``__init__(self, cfg)`` and ends with
    ``super().__init__(train_x=..., val=..., test=...)``. Its few-shot samples are those that it gets in Dassl.

    Class attributes that a subclass, or an instance before ``super().__init__``, may set:

    Attributes:
        dataset_dir: the folder's name below ``cfg.DATASET.ROOT``.
        domains: names of the domains a domain-generalisation data set has.
        name: the task's name; by default the name in the registry, else the name of the class.
        metric: name of the task's metric (see :mod:`mvlpt.metrics`).
        multi_label: images may have several labels; ``Datum.label`` is then a tuple.
        templates: prompt templates with one ``{}`` each, for zero-shot text.
        synonyms: further names of a class, by class id.
        split_origin: where the splits come from: ``official``; ``torchvision`` if torchvision's copy of the data cannot
            reproduce the official ones; ``folder`` if they are folders on disk; ``rule`` if they were made by rule;
            empty if unknown.
        center_crop: the benchmark evaluates the centre of an image resized by its shorter side; else the whole image,
            squashed to the size. ``INPUT.TEST_CROP`` can override it.
        transparency: ``white`` puts transparent images on white; ``drop`` ignores the alpha channel, as the benchmarks
            do.

    Args:
        train_x: labelled training images.
        train_u: unlabelled training images.
        val: validation images.
        test: test images.
        classnames: names in label order; by default collected from the images as Dassl does.

    Raises:
        DataError: no class names can be found, or a label lies outside them.
    """

    dataset_dir: str = ""
    domains: Sequence[str] = []
    name: str = ""
    metric: str = "accuracy"
    multi_label: bool = False
    templates: Sequence[str] = ("a photo of a {}.",)
    synonyms: dict[int, Sequence[str]] = {}  # noqa: RUF012  (a default that subclasses replace, never written)
    split_origin: str = ""
    center_crop: bool = True
    transparency: str = "white"

    _sample_stream: Any  # random.Random, or the module random

    def __new__(cls, cfg: Any = None, *args: Any, **kwargs: Any) -> DatasetBase:
        """Seeds the stream of few-shot samples before the subclass's ``__init__`` draws its sample."""
        dataset = super().__new__(cls)
        if not cls.name:
            dataset.name = cls.__name__
        dataset._sample_stream = random.Random(stream_seed(getattr(cfg, "SEED", 0)))
        return dataset

    def __init__(
        self,
        train_x: list[Datum] | None = None,
        train_u: list[Datum] | None = None,
        val: list[Datum] | None = None,
        test: list[Datum] | None = None,
        *,
        classnames: Sequence[str] | None = None,
    ) -> None:
        self._train_x = train_x
        self._train_u = train_u
        self._val = val
        self._test = test
        if classnames is not None:
            self._classnames = list(classnames)
            self._lab2cname = dict(enumerate(self._classnames))
            self._num_classes = len(self._classnames)
        else:
            self._collect_classnames()
        self._check_class_names()
        self._check_labels()

    @property
    def train_x(self) -> list[Datum] | None:
        return self._train_x

    @property
    def train_u(self) -> list[Datum] | None:
        return self._train_u

    @property
    def val(self) -> list[Datum] | None:
        return self._val

    @property
    def test(self) -> list[Datum] | None:
        return self._test

    @property
    def lab2cname(self) -> dict[int, str]:
        return self._lab2cname

    @property
    def classnames(self) -> list[str]:
        return self._classnames

    @property
    def num_classes(self) -> int:
        return self._num_classes

    def _collect_classnames(self) -> None:
        if not self._train_x:
            raise DataError(f"The data set '{self.name}' has no training images and no list of class names")
        if self.multi_label:
            raise DataError(f"The multi-label data set '{self.name}' must pass its class names: classnames=[...]")
        self._num_classes = self.get_num_classes(self._train_x)
        if self._num_classes > MOST_CLASSES:
            raise DataError(f"The data set '{self.name}' has a label of {self._num_classes - 1:,}; number its classes")
        self._lab2cname, self._classnames = self.get_lab2cname(self._train_x)
        absent = set(range(self._num_classes)) - set(self._lab2cname)
        if absent:  # a class without a training image: another split may have its name
            known = self.get_lab2cname([*(self._val or []), *(self._test or [])])[0]
            if not absent <= set(known):
                first = min(absent - set(known))
                raise DataError(f"Class {first} of the data set '{self.name}' has no image, so its name is unknown")
            self._lab2cname.update({label: known[label] for label in absent})
            self._classnames = [self._lab2cname[label] for label in range(self._num_classes)]

    def _check_class_names(self) -> None:
        """A name that is no text, as a folder of unknown encoding has, cannot be tokenised, shown or stored."""
        for name in (self.name, *self._classnames):
            if isinstance(name, str) and not name.isprintable() and _HALF.search(name):
                raise DataError(f"The data set '{self.name}' has the name {name!r:.100}, which is not UTF-8; rename it")

    def _check_labels(self) -> None:
        for split in ("train_x", "val", "test"):
            for item in getattr(self, split) or []:
                if any(not 0 <= label < self._num_classes for label in labels_of(item)):
                    raise DataError(
                        f"{item.impath} in {split} of '{self.name}' has label {item.label}, "
                        f"but there are {self._num_classes} classes (0 to {self._num_classes - 1})"
                    )

    @staticmethod
    def get_num_classes(data_source: Iterable[Datum]) -> int:
        """The largest label plus one."""
        return max((label for item in data_source for label in labels_of(item)), default=-1) + 1

    @staticmethod
    def get_lab2cname(data_source: Iterable[Datum]) -> tuple[dict[int, str], list[str]]:
        """Class names by label, and the names in label order. If a label has several names, the first is used."""
        mapping: dict[int, str] = {}
        for item in data_source:
            mapping.setdefault(item.label, item.classname)
        return mapping, [mapping[label] for label in sorted(mapping)]

    def download_data(self, url: str, dst: str, from_gdrive: bool = True) -> None:
        """Dassl downloads here; this engine asks for the file.

        Raises:
            DataError: says what to place where.
        """
        raise DataError(f"The data set '{self.name}' needs {url}; download it to {dst} and unpack it there")

    def check_input_domains(self, source_domains: Sequence[str], target_domains: Sequence[str]) -> None:
        """Checks the configured domains.

        Raises:
            DataError: one of the lists is empty or names a domain that the data set does not have.
        """
        for key, given in (("SOURCE_DOMAINS", source_domains), ("TARGET_DOMAINS", target_domains)):
            if len(given) == 0:
                raise DataError(f"DATASET.{key} is empty; the data set '{self.name}' has {list(self.domains)}")
            self.is_input_domain_valid(given)

    def is_input_domain_valid(self, input_domains: Sequence[str]) -> None:
        """Refuses domains the data set does not have."""
        for domain in input_domains:
            if domain not in self.domains:
                raise DataError(f"The data set '{self.name}' has no domain '{domain}'; it has {list(self.domains)}")

    def generate_fewshot_dataset(self, *data_sources: list[Datum], num_shots: int = -1, repeat: bool = False) -> Any:
        """Samples ``num_shots`` images of each class from every given list.

        The sample is CoOp's: one stream, named by the run's seed, goes on from call to call of a data set. It begins
        with the data set, so it does not depend on what was built before.

        Args:
            data_sources: lists of items, not changed.
            num_shots: images a class; below 1 the lists are returned unchanged.
            repeat: draw images of small classes several times.

        Returns:
            One list for one source, else a list of lists.
        """
        if num_shots < 1:
            return data_sources[0] if len(data_sources) == 1 else data_sources
        output = []
        for source in data_sources:
            sample: list[Datum] = []
            for items in self.split_dataset_by_label(source).values():
                if len(items) >= num_shots:
                    sample += self._sample_stream.sample(items, num_shots)
                else:
                    sample += self._sample_stream.choices(items, k=num_shots) if repeat else items
            output.append(sample)
        return output[0] if len(output) == 1 else output

    def split_dataset_by_label(self, data_source: Iterable[Datum]) -> dict[Any, list[Datum]]:
        """Items by label, in the order of first appearance."""
        output: dict[Any, list[Datum]] = defaultdict(list)
        for item in data_source:
            output[item.label].append(item)
        return output

    def split_dataset_by_domain(self, data_source: Iterable[Datum]) -> dict[int, list[Datum]]:
        """Items by domain, in the order of first appearance."""
        output: dict[int, list[Datum]] = defaultdict(list)
        for item in data_source:
            output[item.domain].append(item)
        return output
