"""The tree of run options with its defaults.

Keys of Dassl and of the paper's code keep their names and meaning, so their YAML files and command lines load
unchanged; what only this framework knows stands in sections or keys of its own, marked with *ours*.
"""

from __future__ import annotations

from yacs.config import CfgNode

from mvlpt.config.node import Config


def get_cfg_default() -> Config:
    """A fresh, unfrozen copy of the default configuration."""
    cfg = Config()
    cfg.VERSION = 1
    cfg.OUTPUT_DIR = "./output"
    cfg.RESUME = ""  # folder of the run to go on with
    cfg.SEED = -1  # negative: the tools draw one and record it
    cfg.USE_CUDA = True
    cfg.VERBOSE = True
    cfg.INPUT = _input()
    cfg.DATASET = _dataset()
    cfg.DATALOADER = _dataloader()
    cfg.MODEL = _model()
    cfg.OPTIM = _optim()
    cfg.TRAIN = CfgNode({"CHECKPOINT_FREQ": 0, "PRINT_FREQ": 10, "COUNT_ITER": "train_x"})
    cfg.TEST = CfgNode(
        {
            "EVALUATOR": "Classification",
            "PER_CLASS_RESULT": False,
            "COMPUTE_CMAT": False,
            "NO_TEST": False,
            "SPLIT": "test",
            "FINAL_MODEL": "last_step",  # or best_val
            "PREDICTIONS": False,  # ours: leave the probabilities of the test images in OUTPUT_DIR/predictions
        }
    )
    cfg.TRAINER = _trainer()
    cfg.RUN = CfgNode()  # ours: what a run is called in the results, and how it is kept
    cfg.RUN.ARM = ""  # zero_shot, single, all, grouped, pair or transfer; empty: told from the trainer and the tasks
    cfg.RUN.GROUP = ""  # name of the task group, as in groups.yaml
    cfg.RUN.INIT_FROM = ""  # folder of the run whose prompt this one starts from (--model-dir)
    cfg.RUN.INIT_EPOCH = 0  # which of its checkpoints: 0 takes the best, or else the last (--load-epoch)
    cfg.RUN.SAVE_EVERY = 60.0  # seconds between saves of the state that --resume reads
    cfg.RUN.TENSORBOARD = True  # scalars for TensorBoard, where it is installed
    cfg.RUN.THREADS = 0  # CPU threads of torch; 0 leaves torch's own choice
    cfg.RUN.MICRO_BATCHES = 1  # parts in which a batch is computed, one after the other, where memory is short
    cfg.RUN.MODE = "train"  # train; eval (--eval-only); build (--no-train); features (`mvlpt features`)
    return cfg


def _input() -> CfgNode:
    node = CfgNode()
    node.SIZE = (224, 224)
    node.INTERPOLATION = "bilinear"
    node.TRANSFORMS = ()
    node.NO_TRANSFORM = False
    node.TEST_CROP = "task"  # ours: evaluate on the centre (center), the whole image (squash), or as the benchmark does
    node.PIXEL_MEAN = [0.485, 0.456, 0.406]
    node.PIXEL_STD = [0.229, 0.224, 0.225]
    node.CROP_PADDING = 4
    node.RRCROP_SCALE = (0.08, 1.0)
    node.CUTOUT_N = 1
    node.CUTOUT_LEN = 16
    node.GN_MEAN = 0.0
    node.GN_STD = 0.15
    node.RANDAUGMENT_N = 2
    node.RANDAUGMENT_M = 10
    node.COLORJITTER_B = 0.4
    node.COLORJITTER_C = 0.4
    node.COLORJITTER_S = 0.4
    node.COLORJITTER_H = 0.1
    node.RGS_P = 0.2
    node.GB_P = 0.5
    node.GB_K = 21
    return node


def _dataset() -> CfgNode:
    node = CfgNode()
    node.ROOT = ""
    node.NAME = ""  # one task, or several separated by commas
    node.DATASET = ""  # the same under the paper code's name (--dataset); wins over NAME
    node.SOURCE_DOMAINS = ()
    node.TARGET_DOMAINS = ()
    node.NUM_LABELED = -1
    node.NUM_SHOTS = -1  # training images per class; -1 takes all
    node.NUM_SAMPLES_PER_CLASS = 20  # kept for the paper's command lines; NUM_SHOTS is what counts
    node.VAL_PERCENT = 0.1
    node.STL10_FOLD = -1
    node.CIFAR_C_TYPE = ""
    node.CIFAR_C_LEVEL = 1
    node.ALL_AS_UNLABELED = False
    node.SUBSAMPLE_CLASSES = "all"  # all, base, new
    node.RANDOM_SEED_SAMPLING = 1
    node.TRAIN_SET = "train"
    node.VAL_SET = ""
    node.TEST_SET = "val"
    node.CENTER_CROP = False  # the paper's, for ELEVATER's tasks: obeyed with TRAINER.LEGACY, else see INPUT.TEST_CROP
    node.COOP = False
    node.MULTITASK = False
    node.MULTITASK_LABEL_PERTASK = False  # per_task label space: other tasks' classes are masked out of the softmax
    node.MULTITASK_EVALKEY = "average"  # what selects the best epoch: the mean over tasks, or one task by name
    node.SAMPLING = "independent"  # ours: few-shot protocol
    node.MERGE_VAL = False  # ours: train on what the protocols elevater and mvlpt cut off for validation, too
    node.SOURCE = "auto"  # ours: where ELEVATER's tasks are read from: auto, official, torchvision, folder
    node.SAMPLES_DIR = ""  # ours: keep few-shot samples as JSON in this folder, and refuse to run on others
    node.ON_BAD_IMAGE = "error"  # ours: error or skip
    return node


def _dataloader() -> CfgNode:
    node = CfgNode()
    node.NUM_WORKERS = 4
    node.K_TRANSFORMS = 1
    node.RETURN_IMG0 = False
    node.VIEWS = 0  # ours: 0 draws an augmented view anew every epoch; K > 0 keeps K fixed views per image
    node.TASK_SAMPLING = "proportional"  # ours: how tasks share a batch: proportional, uniform, temperature
    node.TASK_TEMPERATURE = 1.0  # ours: tasks are drawn with probability ~ size ** (1 / temperature)
    node.TASK_BATCHES = "mixed"  # ours: "single" keeps every batch to one task, as many steps per task as if alone
    node.EPOCH_STEPS = 0  # ours: steps per epoch; 0 makes one pass over the training images
    node.CACHE_MB = 512  # ours: decoded training images kept in memory
    node.FEATURE_CACHE_MB = 2048  # ours: frozen image features kept in memory; 0 turns the feature cache off
    node.FEATURE_DIR = ""  # ours: a folder in which they are kept, too, for other runs and other machines
    for split in ("TRAIN_X", "TRAIN_U"):
        node[split] = CfgNode({"SAMPLER": "RandomSampler", "BATCH_SIZE": 32, "N_DOMAIN": 0, "N_INS": 16})
    node.TRAIN_U.SAME_AS_X = True
    node.TEST = CfgNode({"SAMPLER": "SequentialSampler", "BATCH_SIZE": 32})
    return node


def _model() -> CfgNode:
    node = CfgNode()
    node.INIT_WEIGHTS = ""
    node.BACKBONE = CfgNode()
    node.BACKBONE.NAME = ""
    node.BACKBONE.PRETRAINED = True  # True: the weights the name stands for; a tag of open_clip; a path; False: random
    node.HEAD = CfgNode({"NAME": "", "ACTIVATION": "relu", "BN": True, "HIDDEN_LAYERS": (), "DROPOUT": 0.0})
    return node


def _optim() -> CfgNode:
    node = CfgNode()
    node.NAME = "adam"
    node.LR = 0.0003
    node.WEIGHT_DECAY = 5e-4
    node.MOMENTUM = 0.9
    node.SGD_DAMPNING = 0.0
    node.SGD_NESTEROV = False
    node.RMSPROP_ALPHA = 0.99
    node.ADAM_BETA1 = 0.9
    node.ADAM_BETA2 = 0.999
    node.STAGED_LR = False
    node.NEW_LAYERS = ()
    node.BASE_LR_MULT = 0.1
    node.LR_SCHEDULER = "single_step"
    node.STEPSIZE = (-1,)
    node.GAMMA = 0.1
    node.MAX_EPOCH = 10
    node.WARMUP_EPOCH = -1
    node.WARMUP_TYPE = "linear"
    node.WARMUP_CONS_LR = 1e-5
    node.WARMUP_MIN_LR = 1e-5
    node.WARMUP_RECOUNT = True
    return node


def _trainer() -> CfgNode:
    node = CfgNode()
    node.NAME = ""
    node.CUT_CONTEXTLEN = False  # accepted; text is always cut to the longest prompt, which changes no result
    node.ACT_CKPT = 1  # > 1: recompute activations of the text tower in that many chunks of classes
    node.LEGACY = False  # ours: repeat the slips of the paper's code that docs/models.md lists
    node.COMPILE = False  # ours: torch.compile
    node.COOP = CfgNode({"N_CTX": 16, "CSC": False, "CTX_INIT": "", "PREC": "fp32", "CLASS_TOKEN_POSITION": "end"})
    node.COCOOP = CfgNode({"N_CTX": 16, "CTX_INIT": "", "PREC": "fp32"})
    node.ZEROSHOT = CfgNode({"ENSEMBLE": True, "TEMPLATE": ""})  # ours: all of the task's templates, or this one
    node.MVLPT = CfgNode({"PREC": "fp32", "PROJECT_METHOD": "transformer", "PROJECT_DIM": 128})
    node.MVLPT.VPT = CfgNode({"N_CTX": 0, "CSC": False, "CTX_INIT": "", "DROPOUT": 0.0, "PROJECT": -1, "DEEP": True})
    node.MVLPT.COOP = CfgNode({"N_CTX": 0, "CSC": False, "CTX_INIT": "", "CLASS_TOKEN_POSITION": "middle"})
    node.MVLPT.COCOOP = CfgNode({"N_CTX": 0, "CTX_INIT": "", "PREC": "fp32"})
    return node
