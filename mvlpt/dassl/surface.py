"""The modules and names of Dassl's public surface, and the objects of this package that answer to them.

Read as ``module: {target module: names}``. Dassl's own layout stands on the left, so code that imports a name from any
of Dassl's modules gets the same object.
"""

from __future__ import annotations

VERSION = "0.6.3"  # the release of Dassl whose interface this is
AUTHOR, HOMEPAGE = "Kaiyang Zhou", "https://github.com/KaiyangZhou/Dassl.pytorch"

_TOOLS = {
    "mvlpt.engine.utils": (
        "mkdir_if_missing check_isfile read_json write_json set_random_seed download_url read_image "
        "collect_env_info listdir_nohidden get_most_similar_str_to_a_from_b check_availability tolist_if_not"
    )
}
_LOGGER = {"mvlpt.engine.utils": "Logger setup_logger"}
_METERS = {"mvlpt.engine.meters": "AverageMeter MetricMeter"}
_REGISTRY = {"mvlpt.registry": "Registry"}
_TORCHTOOLS = {
    "mvlpt.engine.utils": (
        "save_checkpoint load_checkpoint resume_from_checkpoint open_all_layers open_specified_layers "
        "count_num_param load_pretrained_weights"
    ),
    "mvlpt.engine.layers": "adjust_learning_rate set_bn_to_eval init_network_weights",
}
_TRAINERS = {
    "mvlpt.engine.simple_net": "SimpleNet",
    "mvlpt.engine.trainer_base": "TrainerBase",
    "mvlpt.engine.simple_trainer": "SimpleTrainer",
    "mvlpt.engine.trainer_x": "TrainerX",
    "mvlpt.engine.trainer_xu": "TrainerXU",
}
# Dassl's modules named build also have these two.
_WITH_BUILD = {"mvlpt.registry": "Registry", "mvlpt.engine.utils": "check_availability"}
_TRAINER_BUILD = {"mvlpt.engine.registries": "TRAINER_REGISTRY build_trainer"}
_DATASET_BUILD = {"mvlpt.data.datasets": "DATASET_REGISTRY build_dataset"}
_DATASET_BASE = {"mvlpt.data.datasets.base_dataset": "DatasetBase", "mvlpt.data.datum": "Datum"}
_EVALUATION_BUILD = {
    "mvlpt.engine.evaluation": "EVALUATOR_REGISTRY",
    "mvlpt.engine.evaluator_calls": "build_evaluator",
}
_EVALUATORS = {"mvlpt.engine.evaluation": "EvaluatorBase Classification"}
_MANAGER = {"mvlpt.data.data_manager": "DataManager DatasetWrapper"}
_OPTIMIZER = {"mvlpt.engine.optim": "build_optimizer"}
_SCHEDULER = {"mvlpt.engine.optim": "build_lr_scheduler"}
_DISTANCE = {"mvlpt.engine.metrics": "cosine_distance compute_distance_matrix euclidean_squared_distance"}
_ACCURACY = {"mvlpt.engine.metrics": "compute_accuracy"}
_TRANSFORMS = {"mvlpt.data.loading.transforms": "INTERPOLATION_MODES build_transform"}
_BACKBONES = {"mvlpt.engine.feature_nets": "BACKBONE_REGISTRY Backbone build_backbone"}
_HEADS = {"mvlpt.engine.feature_nets": "HEAD_REGISTRY build_head"}
_NETWORKS = {"mvlpt.engine.feature_nets": "NETWORK_REGISTRY build_network"}
_AUTOAUGMENT = {"mvlpt.dassl.policies": "ImageNetPolicy CIFAR10Policy SVHNPolicy"}
_RANDAUGMENT = {"mvlpt.dassl.policies": "RandAugment RandAugment2 RandAugmentFixMatch"}
_TENSORBOARD = {"torch.utils.tensorboard": "SummaryWriter"}

SURFACE: dict[str, dict[str, str]] = {
    "dassl": {},
    "dassl.config": {"mvlpt.config": "get_cfg_default", "mvlpt.dassl.options": "clean_cfg cfg_default"},
    "dassl.config.defaults": {"mvlpt.dassl.options": "_C"},
    "dassl.data": _MANAGER,
    "dassl.data.data_manager": {
        **_MANAGER,
        "mvlpt.data.data_manager": "DataManager DatasetWrapper build_data_loader",
        **_TRANSFORMS,
        "mvlpt.data.sampling.samplers": "build_sampler",
        "mvlpt.data.datasets": "build_dataset",
        "mvlpt.engine.utils": "read_image",
    },
    "dassl.data.datasets": {**_DATASET_BUILD, **_DATASET_BASE},
    "dassl.data.datasets.build": {**_DATASET_BUILD, **_WITH_BUILD},
    "dassl.data.datasets.base_dataset": {**_DATASET_BASE, "mvlpt.engine.utils": "check_isfile"},
    "dassl.data.samplers": {
        "mvlpt.data.sampling.samplers": "build_sampler",
        "mvlpt.data.sampling.domain_samplers": "RandomDomainSampler SeqDomainSampler RandomClassSampler",
        "torch.utils.data": "RandomSampler SequentialSampler",
    },
    "dassl.data.transforms": _TRANSFORMS,
    "dassl.data.transforms.autoaugment": _AUTOAUGMENT,
    "dassl.data.transforms.randaugment": _RANDAUGMENT,
    "dassl.data.transforms.transforms": {
        "mvlpt.dassl.policies": " ".join((*_AUTOAUGMENT.values(), *_RANDAUGMENT.values())),
        "mvlpt.data.loading.transforms": (
            "INTERPOLATION_MODES AVAI_CHOICES build_transform Random2DTranslation InstanceNormalization Cutout "
            "GaussianNoise"
        ),
    },
    "dassl.engine": {**_TRAINER_BUILD, **_TRAINERS},
    "dassl.engine.build": {**_TRAINER_BUILD, **_WITH_BUILD},
    "dassl.engine.trainer": {
        **_TRAINERS,
        **_METERS,
        **_TORCHTOOLS,
        **_MANAGER,
        **_EVALUATION_BUILD,
        **_TENSORBOARD,
        "mvlpt.engine.utils": _TORCHTOOLS["mvlpt.engine.utils"] + " mkdir_if_missing tolist_if_not",
        "mvlpt.engine.feature_nets": "build_backbone build_head",
        "mvlpt.engine.optim": "build_optimizer build_lr_scheduler",
    },
    "dassl.evaluation": {
        **_EVALUATION_BUILD,
        "mvlpt.engine.evaluation": "EVALUATOR_REGISTRY EvaluatorBase Classification",
    },
    "dassl.evaluation.build": {**_EVALUATION_BUILD, **_WITH_BUILD},
    "dassl.evaluation.evaluator": {
        "mvlpt.engine.evaluation": "EVALUATOR_REGISTRY EvaluatorBase Classification",
    },
    "dassl.metrics": {
        "mvlpt.engine.metrics": "compute_accuracy cosine_distance compute_distance_matrix euclidean_squared_distance"
    },
    "dassl.metrics.accuracy": _ACCURACY,
    "dassl.metrics.distance": _DISTANCE,
    "dassl.modeling": {
        "mvlpt.engine.feature_nets": (
            "BACKBONE_REGISTRY Backbone build_backbone HEAD_REGISTRY build_head NETWORK_REGISTRY build_network"
        )
    },
    "dassl.modeling.backbone": {
        "mvlpt.engine.feature_nets": _BACKBONES["mvlpt.engine.feature_nets"]
        + " resnet18 resnet34 resnet50 resnet101 resnet152 vgg16 alexnet"
    },
    "dassl.modeling.backbone.build": {"mvlpt.engine.feature_nets": "BACKBONE_REGISTRY build_backbone", **_WITH_BUILD},
    "dassl.modeling.backbone.backbone": {"mvlpt.engine.feature_nets": "Backbone"},
    "dassl.modeling.head": {"mvlpt.engine.feature_nets": "HEAD_REGISTRY build_head mlp"},
    "dassl.modeling.head.build": {**_HEADS, **_WITH_BUILD},
    "dassl.modeling.network": _NETWORKS,
    "dassl.modeling.network.build": {**_NETWORKS, **_WITH_BUILD},
    "dassl.optim": {"mvlpt.engine.optim": "build_optimizer build_lr_scheduler"},
    "dassl.optim.optimizer": {"mvlpt.engine.optim": "build_optimizer AVAI_OPTIMS", "mvlpt.dassl.adaptive": "RAdam"},
    "dassl.optim.lr_scheduler": {
        "mvlpt.engine.optim": "build_lr_scheduler AVAI_SCHEDS ConstantWarmupScheduler LinearWarmupScheduler",
        "mvlpt.engine.optim.warmup": "_BaseWarmupScheduler",
    },
    "dassl.optim.radam": {"mvlpt.dassl.adaptive": "RAdam PlainRAdam AdamW"},
    "dassl.utils": {
        "mvlpt.engine.utils": " ".join(
            (_TOOLS["mvlpt.engine.utils"], _LOGGER["mvlpt.engine.utils"], _TORCHTOOLS["mvlpt.engine.utils"])
        ),
        **_METERS,
        **_REGISTRY,
        "mvlpt.engine.layers": _TORCHTOOLS["mvlpt.engine.layers"],
    },
    "dassl.utils.tools": _TOOLS,
    "dassl.utils.logger": {"mvlpt.engine.utils": "Logger setup_logger mkdir_if_missing"},
    "dassl.utils.meters": _METERS,
    "dassl.utils.registry": _REGISTRY,
    "dassl.utils.torchtools": {
        **_TORCHTOOLS,
        "mvlpt.engine.utils": _TORCHTOOLS["mvlpt.engine.utils"] + " mkdir_if_missing",
    },
}

LEFT_OUT: dict[str, str] = {
    "dassl.engine.da, .dg, .ssl": "twenty trainers of domain adaptation, generalisation and semi-supervised learning: "
    "a copy of Dassl that is installed brings them, and they run on this engine",
    "dassl.modeling.backbone.*, .network.*, .ops": "architectures and layers of Dassl's own; torchvision's ResNets, "
    "VGG and AlexNet are here, the rest comes from an installed Dassl",
    "dassl.data.datasets.da, .dg, .ssl": "data sets of Dassl's own, likewise",
    "DatasetBase.download_data": "it says what to download and where to place it; nothing is fetched from Google Drive",
    "SubPolicy, Lighting, CutoutDefault": "parts of Dassl's augmentations, which are torchvision's here, with "
    "other ranges",
    "dassl.modeling.head.mlp": "a function there; the module of that name has only it and its class",
}


def names_of(module: str) -> dict[str, str]:
    """The public names of one of Dassl's modules, each with the module of this package that has it.

    Args:
        module: a key of :data:`SURFACE`.
    """
    return {name: target for target, names in SURFACE[module].items() for name in names.split()}
