"""The engine: trainers with Dassl's interface, on current PyTorch.

The names are imported when they are first used, so that a tool which only writes files does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.engine.backbone import configured_backbone, pretrained_weights
    from mvlpt.engine.checkpoints import (
        BEST_CHECKPOINT,
        find_checkpoint,
        load_checkpoint,
        save_checkpoint,
    )
    from mvlpt.engine.class_results import EVALUATION_FILE, ClassResults, Mistake, read_evaluation
    from mvlpt.engine.epoch_log import (
        METRICS_FIELDS,
        METRICS_FILE,
        TASK_METRICS_FIELDS,
        TASK_METRICS_FILE,
        EpochLog,
        read_metrics,
        training_failure,
    )
    from mvlpt.engine.evaluation import EVALUATOR_REGISTRY, EvaluatorBase, TaskScore
    from mvlpt.engine.evaluator_calls import build_evaluator
    from mvlpt.engine.feature_nets import BACKBONE_REGISTRY, HEAD_REGISTRY, NETWORK_REGISTRY
    from mvlpt.engine.folder_names import default_folder, own_name
    from mvlpt.engine.identity import (
        changed_options,
        config_differences,
        config_identity,
        result_affecting_options,
    )
    from mvlpt.engine.initial import load_weights
    from mvlpt.engine.origins import ORIGIN, PROMPT_FILE, origin_of, saved_origin
    from mvlpt.engine.overrides import check_takes_pseudo_labels
    from mvlpt.engine.predictions import parameter_counts, record_predictions
    from mvlpt.engine.preprocessing import follow_backbone
    from mvlpt.engine.recorded_predictions import (
        PREDICTIONS_FOLDER,
        PREDICTIONS_FORMAT,
        PREDICTIONS_INDEX,
        RecordedTask,
        read_predictions,
    )
    from mvlpt.engine.registries import (
        PLUGIN_GROUP,
        TRAINER_REGISTRY,
        build_trainer,
        current_config,
        extend_config,
        finish_config,
        has_entry_points,
        load_entry_points,
        load_shipped,
        register_options,
    )
    from mvlpt.engine.resources import Resources, current_resources, shared_resources
    from mvlpt.engine.results import (
        RESULT_FIELDS,
        RESULTS_FILE,
        TEST_SPLITS,
        arm_of,
        read_results,
        result_rows,
        write_results,
    )
    from mvlpt.engine.run import FEATURES_FILE, TASKS, RunOutcome, run_config
    from mvlpt.engine.run_folder import CONFIG_FILE, STATE_FILE, RunFolder
    from mvlpt.engine.seeding import set_random_seed
    from mvlpt.engine.simple_trainer import SimpleTrainer
    from mvlpt.engine.trainer_base import TrainerBase
    from mvlpt.engine.trainer_x import TrainerX
    from mvlpt.engine.trainer_xu import TrainerXU
    from mvlpt.engine.unread_options import unread_option
    from mvlpt.engine.utils import print_results

_HOMES = {
    "backbone": ("configured_backbone", "pretrained_weights"),
    "checkpoints": ("BEST_CHECKPOINT", "find_checkpoint", "load_checkpoint", "save_checkpoint"),
    "class_results": ("EVALUATION_FILE", "ClassResults", "Mistake", "read_evaluation"),
    "epoch_log": (
        "METRICS_FIELDS",
        "METRICS_FILE",
        "TASK_METRICS_FIELDS",
        "TASK_METRICS_FILE",
        "EpochLog",
        "read_metrics",
        "training_failure",
    ),
    "folder_names": ("default_folder", "own_name"),
    "evaluation": ("EVALUATOR_REGISTRY", "EvaluatorBase", "TaskScore"),
    "evaluator_calls": ("build_evaluator",),
    "feature_nets": ("BACKBONE_REGISTRY", "HEAD_REGISTRY", "NETWORK_REGISTRY"),
    "identity": ("changed_options", "config_differences", "config_identity", "result_affecting_options"),
    "initial": ("load_weights",),
    "origins": ("ORIGIN", "PROMPT_FILE", "origin_of", "saved_origin"),
    "overrides": ("check_takes_pseudo_labels",),
    "predictions": ("parameter_counts", "record_predictions"),
    "recorded_predictions": (
        "PREDICTIONS_FOLDER",
        "PREDICTIONS_FORMAT",
        "PREDICTIONS_INDEX",
        "RecordedTask",
        "read_predictions",
    ),
    "preprocessing": ("follow_backbone",),
    "registries": (
        "PLUGIN_GROUP",
        "TRAINER_REGISTRY",
        "build_trainer",
        "current_config",
        "extend_config",
        "finish_config",
        "has_entry_points",
        "load_entry_points",
        "load_shipped",
        "register_options",
    ),
    "resources": ("Resources", "current_resources", "shared_resources"),
    "results": (
        "RESULTS_FILE",
        "RESULT_FIELDS",
        "TEST_SPLITS",
        "arm_of",
        "read_results",
        "result_rows",
        "write_results",
    ),
    "run": ("FEATURES_FILE", "TASKS", "RunOutcome", "run_config"),
    "run_folder": ("CONFIG_FILE", "STATE_FILE", "RunFolder"),
    "seeding": ("set_random_seed",),
    "simple_trainer": ("SimpleTrainer",),
    "trainer_base": ("TrainerBase",),
    "trainer_x": ("TrainerX",),
    "trainer_xu": ("TrainerXU",),
    "unread_options": ("unread_option",),
    "utils": ("print_results",),
}

__all__ = [
    "BACKBONE_REGISTRY",
    "BEST_CHECKPOINT",
    "CONFIG_FILE",
    "EVALUATION_FILE",
    "EVALUATOR_REGISTRY",
    "FEATURES_FILE",
    "HEAD_REGISTRY",
    "METRICS_FIELDS",
    "METRICS_FILE",
    "NETWORK_REGISTRY",
    "ORIGIN",
    "PLUGIN_GROUP",
    "PREDICTIONS_FOLDER",
    "PREDICTIONS_FORMAT",
    "PREDICTIONS_INDEX",
    "PROMPT_FILE",
    "RESULTS_FILE",
    "RESULT_FIELDS",
    "STATE_FILE",
    "TASKS",
    "TASK_METRICS_FIELDS",
    "TASK_METRICS_FILE",
    "TEST_SPLITS",
    "TRAINER_REGISTRY",
    "ClassResults",
    "EpochLog",
    "EvaluatorBase",
    "Mistake",
    "RecordedTask",
    "Resources",
    "RunFolder",
    "RunOutcome",
    "SimpleTrainer",
    "TaskScore",
    "TrainerBase",
    "TrainerX",
    "TrainerXU",
    "arm_of",
    "build_evaluator",
    "build_trainer",
    "changed_options",
    "check_takes_pseudo_labels",
    "config_differences",
    "config_identity",
    "configured_backbone",
    "current_config",
    "current_resources",
    "default_folder",
    "extend_config",
    "find_checkpoint",
    "finish_config",
    "follow_backbone",
    "has_entry_points",
    "load_checkpoint",
    "load_entry_points",
    "load_shipped",
    "load_weights",
    "origin_of",
    "own_name",
    "parameter_counts",
    "pretrained_weights",
    "print_results",
    "read_evaluation",
    "read_metrics",
    "read_predictions",
    "read_results",
    "record_predictions",
    "register_options",
    "result_affecting_options",
    "result_rows",
    "run_config",
    "save_checkpoint",
    "saved_origin",
    "set_random_seed",
    "shared_resources",
    "training_failure",
    "unread_option",
    "write_results",
]

__getattr__ = lazy_exports(__name__, {name: module for module, names in _HOMES.items() for name in names})
