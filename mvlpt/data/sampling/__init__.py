"""Which images a run sees, and in which order: few-shot samples, subsets of classes, the order of an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.data.sampling.domain_samplers import RandomClassSampler, RandomDomainSampler, SeqDomainSampler
    from mvlpt.data.sampling.epoch_samplers import (
        EpochSampler,
        RandomSampler,
        SequentialSampler,
        TaskSampler,
        by_domain,
    )
    from mvlpt.data.sampling.fewshot import FewShotSplit, few_shot_indices, few_shot_split, stream_seed
    from mvlpt.data.sampling.folds import fold_split, fold_unit, make_folds
    from mvlpt.data.sampling.joint import joint_sample
    from mvlpt.data.sampling.protocols import SplitIndices, elevater_sample, elevater_split, mvlpt_split, select_fewshot
    from mvlpt.data.sampling.pseudo_labels import (
        PseudoLabelOptions,
        assign_labels,
        labelled_repeats,
        round_sizes,
    )
    from mvlpt.data.sampling.published import format_sample
    from mvlpt.data.sampling.sample_files import sample_record, save_sample
    from mvlpt.data.sampling.samplers import SAMPLERS, build_sampler
    from mvlpt.data.sampling.subsample import subsample_classes

__all__ = [
    "SAMPLERS",
    "EpochSampler",
    "FewShotSplit",
    "PseudoLabelOptions",
    "RandomClassSampler",
    "RandomDomainSampler",
    "RandomSampler",
    "SeqDomainSampler",
    "SequentialSampler",
    "SplitIndices",
    "TaskSampler",
    "assign_labels",
    "build_sampler",
    "by_domain",
    "elevater_sample",
    "elevater_split",
    "few_shot_indices",
    "few_shot_split",
    "fold_split",
    "fold_unit",
    "format_sample",
    "joint_sample",
    "labelled_repeats",
    "make_folds",
    "mvlpt_split",
    "round_sizes",
    "sample_record",
    "save_sample",
    "select_fewshot",
    "stream_seed",
    "subsample_classes",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "EpochSampler": "epoch_samplers",
        "FewShotSplit": "fewshot",
        "PseudoLabelOptions": "pseudo_labels",
        "RandomClassSampler": "domain_samplers",
        "RandomDomainSampler": "domain_samplers",
        "RandomSampler": "epoch_samplers",
        "SAMPLERS": "samplers",
        "SeqDomainSampler": "domain_samplers",
        "SequentialSampler": "epoch_samplers",
        "SplitIndices": "protocols",
        "TaskSampler": "epoch_samplers",
        "assign_labels": "pseudo_labels",
        "build_sampler": "samplers",
        "by_domain": "epoch_samplers",
        "elevater_sample": "protocols",
        "elevater_split": "protocols",
        "few_shot_indices": "fewshot",
        "few_shot_split": "fewshot",
        "fold_split": "folds",
        "fold_unit": "folds",
        "format_sample": "published",
        "joint_sample": "joint",
        "labelled_repeats": "pseudo_labels",
        "make_folds": "folds",
        "mvlpt_split": "protocols",
        "round_sizes": "pseudo_labels",
        "sample_record": "sample_files",
        "save_sample": "sample_files",
        "select_fewshot": "protocols",
        "stream_seed": "fewshot",
        "subsample_classes": "subsample",
    },
)
