"""From a run's config to its data: tasks, transforms and loaders. Dassl's ``DataManager``, for one task or many."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from mvlpt.data.datasets import build_dataset, checked_task_names
from mvlpt.data.datum import Datum
from mvlpt.data.kept_samples import keep_samples
from mvlpt.data.loading.batches import EpochBatchSampler, TaskBatchSampler
from mvlpt.data.loading.items import Items
from mvlpt.data.loading.loader import EpochLoader, close_loaders
from mvlpt.data.loading.transforms import build_test_transform, build_transform
from mvlpt.data.loading.wrapper import DatasetWrapper
from mvlpt.data.recorded import recorded_datasets
from mvlpt.data.sampling.fewshot import stream_seed
from mvlpt.data.sampling.joint import joint_sample
from mvlpt.data.sampling.samplers import build_sampler
from mvlpt.data.summary import tasks_table
from mvlpt.data.tasks import MultiTaskDataset, TaskInfo, check_names
from mvlpt.errors import ConfigError, DataError, suggest

__all__ = ["DataManager", "DatasetWrapper", "build_data_loader"]

logger = logging.getLogger(__name__)


def build_data_loader(
    cfg: Any,
    sampler_type: str = "SequentialSampler",
    data_source: Sequence[Datum] | None = None,
    batch_size: int = 64,
    n_domain: int = 0,
    n_ins: int = 2,
    tfm: Any = None,
    is_train: bool = True,
    dataset_wrapper: Callable[..., Any] | None = None,
    *,
    num_classes: int | None = None,
    multi_task: bool = False,
    purpose: str = "train_x",
    transparency: str | Sequence[str] = "white",
) -> EpochLoader:
    """Builds a loader of dictionaries ``img, label, domain, task, impath, index``.

    In training a short last batch is left out if there is a full one.

    Args:
        cfg: the run's config.
        sampler_type: a name of :data:`mvlpt.data.sampling.samplers.SAMPLERS`.
        data_source: the items.
        batch_size, n_domain, n_ins: see the samplers.
        tfm: the transform, or a list of them.
        is_train: for training: ``DATALOADER.VIEWS``, ``TASK_SAMPLING`` and ``EPOCH_STEPS`` apply.
        dataset_wrapper: a class that replaces :class:`DatasetWrapper`, called as Dassl calls it.
        num_classes: give labels as float vectors (K,) of this length; for multi-label tasks.
        multi_task: the items' domains are task indices.
        purpose: names the random streams of this loader.
        transparency: ``white`` or ``drop``, for all items or for each task.

    Raises:
        ConfigError: no transform makes tensors of the images, and no wrapper could.
        DataError: there is no item.
    """
    if not data_source:
        raise DataError(f"There is no image to load for '{purpose}'; check the data set's files and DATASET.NUM_SHOTS")
    if tfm is None and dataset_wrapper is None:
        raise ConfigError(
            "Images without a transform cannot be loaded as batches: set INPUT.NO_TRANSFORM False, or pass a "
            "dataset_wrapper that makes tensors"
        )
    sampler = build_sampler(
        sampler_type, cfg, data_source, batch_size, n_domain, n_ins, task_mixing=is_train, purpose=purpose
    )
    batch_size = min(batch_size, len(data_source))
    if len(sampler) == 0:
        raise DataError(f"{sampler_type} finds no batch of {batch_size} in {len(data_source)} images")
    wrapper = (dataset_wrapper or DatasetWrapper)(cfg, data_source, transform=tfm, is_train=is_train)
    if isinstance(wrapper, DatasetWrapper):  # set afterwards, since a wrapper of a plugin has Dassl's arguments
        wrapper.transparency = transparency
    views = cfg.DATALOADER.get("VIEWS", 0) if is_train else None
    by_task = is_train and multi_task and cfg.DATALOADER.TASK_BATCHES == "single"
    return EpochLoader(
        Items(wrapper, data_source, seed=stream_seed(cfg.SEED), num_classes=num_classes, multi_task=multi_task),
        (TaskBatchSampler if by_task else EpochBatchSampler)(sampler, batch_size, drop_last=is_train, views=views),
        num_workers=cfg.DATALOADER.NUM_WORKERS,
        pin_memory=cfg.USE_CUDA and torch.cuda.is_available(),
        keep_workers=is_train,
        on_bad_image=cfg.DATASET.get("ON_BAD_IMAGE", "error"),
    )


class DataManager:
    """The data of a run.

    One task is its own data set; several are merged by :class:`mvlpt.data.tasks.MultiTaskDataset` in the order in
    which the config names them. Labels are class ids, or, if any task is multi-label, float vectors over all
    classes.

    Args:
        cfg: the run's config.
        custom_tfm_train, custom_tfm_test: transforms that replace the config's.
        dataset_wrapper: a class that replaces :class:`DatasetWrapper`.

    Attributes:
        dataset: the data set.
        tasks: a :class:`TaskInfo` for each task.
        train_loader_x: labelled training images.
        train_loader_u: unlabelled ones, or ``None``.
        val_loader: validation images, or ``None`` if there are none; no other split replaces them.
        test_loader: test images.
        tfm_train, tfm_test: the transforms in use; the test transform may differ from task to task.
    """

    # What a subclass with an ``__init__`` of its own may leave out.
    tasks: Sequence[TaskInfo] = ()
    train_loader_x: Any = None
    train_loader_u: Any = None
    val_loader: Any = None
    test_loader: Any = None
    _cfg: Any = None
    _num_classes: int | None = None
    _lab2cname: dict[int, str] | None = None
    _num_source_domains: int = 0

    def __init__(
        self,
        cfg: Any,
        custom_tfm_train: Any = None,
        custom_tfm_test: Any = None,
        dataset_wrapper: Callable[..., Any] | None = None,
    ) -> None:
        members = recorded_datasets() or self._members(cfg)
        self.dataset = members[0] if len(members) == 1 else MultiTaskDataset(members)
        self.tasks = [TaskInfo.of(members[0])] if len(members) == 1 else self.dataset.tasks
        self._check_evaluation_key(cfg)
        self.tfm_train = build_transform(cfg, is_train=True) if custom_tfm_train is None else custom_tfm_train
        crops = [task.center_crop for task in self.tasks]
        self.tfm_test = build_test_transform(cfg, crops) if custom_tfm_test is None else custom_tfm_test
        self._num_source_domains = len(cfg.DATASET.SOURCE_DOMAINS)
        self._cfg = cfg
        self._wrapper = dataset_wrapper
        read = [task.transparency for task in self.tasks]
        self._transparency = read if len(read) > 1 else read[0]
        train_u = cfg.DATALOADER.TRAIN_X if cfg.DATALOADER.TRAIN_U.SAME_AS_X else cfg.DATALOADER.TRAIN_U
        self.train_loader_x = self._train_loader("train_x", self.dataset.train_x, cfg.DATALOADER.TRAIN_X)
        self.train_loader_u = self._train_loader("train_u", self.dataset.train_u, train_u)
        self.val_loader = self._eval_loader("val", self.dataset.val)
        self.test_loader = self._eval_loader("test", self.dataset.test)
        for loader in filter(None, (self.train_loader_x, self.test_loader)):
            loader.manager = self  # found again by a trainer that keeps the loaders only
        if cfg.DATASET.get("SAMPLES_DIR", ""):
            self.keep_samples(cfg.DATASET.SAMPLES_DIR)
        if cfg.VERBOSE:
            self.show_dataset_summary(cfg)

    @property
    def num_classes(self) -> int:
        return self.dataset.num_classes if self._num_classes is None else self._num_classes

    @property
    def num_source_domains(self) -> int:
        return self._num_source_domains

    @property
    def lab2cname(self) -> dict[int, str]:
        return self.dataset.lab2cname if self._lab2cname is None else self._lab2cname

    @property
    def multi_label(self) -> bool:
        """Labels are float vectors over all classes."""
        return any(task.multi_label for task in self.tasks)

    @staticmethod
    def _members(cfg: Any) -> list[Any]:
        """The data sets that the config names. The protocol ``mvlpt`` samples them together."""
        names = checked_task_names(cfg)
        if len(names) == 1 or cfg.DATASET.get("SAMPLING") != "mvlpt" or cfg.DATASET.get("SAMPLES", ""):
            return [build_dataset(cfg, name) for name in names]
        if cfg.DATASET.get("FOLDS", 0):
            raise ConfigError("DATASET.FOLDS splits each task's own sample; with DATASET.SAMPLING mvlpt, name one task")
        whole = cfg.clone()
        whole.defrost()
        whole.DATASET.NUM_SHOTS, whole.DATASET.SAMPLING, whole.DATASET.MERGE_VAL = -1, "independent", False
        whole.freeze()
        members = [build_dataset(whole, name) for name in names]
        check_names(
            [TaskInfo.of(member).name for member in members],
            [str(getattr(member, "dataset_dir", "") or "") for member in members],
        )
        return joint_sample(members, cfg.DATASET.NUM_SHOTS, cfg.SEED, merge_val=cfg.DATASET.MERGE_VAL)

    def _check_evaluation_key(self, cfg: Any) -> None:
        """Results use the tasks' own names, not the aliases or paths in the config."""
        key, names = cfg.DATASET.MULTITASK_EVALKEY, [task.name for task in self.tasks]
        if len(names) > 1 and key not in ("average", *names):
            raise ConfigError(f"DATASET.MULTITASK_EVALKEY is '{key}'{suggest(key, ['average', *names])}")

    def keep_samples(self, folder: str | Path) -> list[Path]:
        """Writes each task's few-shot sample as JSON, or checks it against the file that is there.

        Args:
            folder: where to; made when it is missing.

        Returns:
            The files; none where all images are used.

        Raises:
            DataError: a file holds another sample, or is damaged.
        """
        if self._cfg is None:
            return []
        members = self.dataset.members if isinstance(self.dataset, MultiTaskDataset) else [self.dataset]
        return keep_samples(self._cfg, members, self.tasks, Path(folder))

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Makes this epoch the next one of the training loaders, starting at batch ``start_batch``."""
        for loader in (self.train_loader_x, self.train_loader_u):
            if hasattr(loader, "set_epoch"):
                loader.set_epoch(epoch, start_batch)

    def training_loader(self, items: list[Datum]) -> EpochLoader | None:
        """A loader of other training images, in orders, batches and views like those of ``train_loader_x``."""
        return self._train_loader("train_x", items, self._cfg.DATALOADER.TRAIN_X)

    def evaluation_loader(self, items: list[Datum]) -> EpochLoader | None:
        """A loader of any images, once each, in order and in the views of evaluation."""
        return self._eval_loader("evaluation", items)

    def close(self) -> None:
        """Ends all worker processes."""
        close_loaders(self)

    def __enter__(self) -> DataManager:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def show_dataset_summary(self, cfg: Any) -> None:
        """Logs a table of the tasks and the sizes of their splits."""
        tasks = self.tasks or [TaskInfo.of(self.dataset)]
        logger.info("Tasks\n%s", tasks_table(cfg, tasks, self.num_classes, self.dataset.train_u or ()))

    def _train_loader(self, purpose: str, items: list[Datum] | None, node: Any) -> EpochLoader | None:
        if not items:
            return None
        # The paper's code never shuffles ELEVATER's multitask batches and always makes them of 64.
        legacy = self._cfg.TRAINER.get("LEGACY", False) and len(self.tasks) > 1 and not self._cfg.DATASET.COOP
        return self._loader(
            purpose,
            items,
            sampler_type="SequentialSampler" if legacy else node.SAMPLER,
            batch_size=64 if legacy else node.BATCH_SIZE,
            n_domain=node.N_DOMAIN,
            n_ins=node.N_INS,
        )

    def _eval_loader(self, purpose: str, items: list[Datum] | None) -> EpochLoader | None:
        if not items:
            return None
        node = self._cfg.DATALOADER.TEST
        return self._loader(purpose, items, sampler_type=node.SAMPLER, batch_size=node.BATCH_SIZE)

    def _loader(self, purpose: str, items: list[Datum], **options: Any) -> EpochLoader:
        is_train = purpose.startswith("train")
        return build_data_loader(
            self._cfg,
            data_source=items,
            tfm=self.tfm_train if is_train else self.tfm_test,
            is_train=is_train,
            dataset_wrapper=self._wrapper,
            num_classes=self.num_classes if self.multi_label else None,
            multi_task=len(self.tasks) > 1,
            purpose=purpose,
            transparency=self._transparency,
            **options,
        )
