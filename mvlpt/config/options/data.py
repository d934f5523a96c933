"""Options of the data: ``INPUT``, ``DATASET`` and ``DATALOADER``."""

from __future__ import annotations

from mvlpt.config.options.option import Section

INPUT = Section("INPUT")
add = INPUT.add
add("SIZE", (224, 224), "height and width of an image in pixels", minimum=1, length=2)
add("INTERPOLATION", "bilinear", "how images are resized: bilinear, bicubic or nearest")
add("TRANSFORMS", (), "the steps from a training image to a view, such as random_resized_crop, random_flip, normalize")
add("NO_TRANSFORM", False, "leave images as they are, for a dataset wrapper of one's own that makes tensors of them")
add(
    "TEST_CROP",
    "task",
    "evaluate on the centre (center), the whole image (squash), or as the task's benchmark does (task)",
    choices=("task", "center", "squash"),
    ours=True,
)
add(
    "PIXEL_MEAN",
    [0.485, 0.456, 0.406],
    "mean of the red, green and blue values that the backbone was trained with",
    length=3,
)
add("PIXEL_STD", [0.229, 0.224, 0.225], "standard deviation of the same", minimum=1e-6, length=3)
add("CROP_PADDING", 4, "pixels added on each side before random_crop")
add(
    "RRCROP_SCALE",
    (0.08, 1.0),
    "smallest and largest share of the image's area that random_resized_crop takes",
    minimum=0,
    length=2,
)
add("CUTOUT_N", 1, "squares that cutout removes")
add("CUTOUT_LEN", 16, "side of such a square in pixels")
add("GN_MEAN", 0.0, "mean of the noise that gaussian_noise adds")
add("GN_STD", 0.15, "standard deviation of the same")
add("RANDAUGMENT_N", 2, "operations that randaugment applies")
add("RANDAUGMENT_M", 10, "their magnitude", minimum=0, maximum=30)
add("COLORJITTER_B", 0.4, "range of brightness in colorjitter", minimum=0)
add("COLORJITTER_C", 0.4, "range of contrast in colorjitter", minimum=0)
add("COLORJITTER_S", 0.4, "range of saturation in colorjitter", minimum=0)
add("COLORJITTER_H", 0.1, "range of hue in colorjitter", minimum=0, maximum=0.5)
add("RGS_P", 0.2, "probability of randomgrayscale", minimum=0, maximum=1)
add("GB_P", 0.5, "probability of gaussian_blur", minimum=0, maximum=1)
add("GB_K", 21, "size of its kernel in pixels, an odd number", minimum=1)

DATASET = Section("DATASET")
add = DATASET.add
add("ROOT", "", "the folder that holds the data sets", affects_results=False)
add("NAME", "", "one task, or several separated by commas")
add("DATASET", "", "the same under the name of the paper's code (--dataset); it takes precedence over NAME")
add("SOURCE_DOMAINS", (), "names of the source domains, for data sets that have domains")
add("TARGET_DOMAINS", (), "names of the target domains")
add("NUM_LABELED", -1, "labelled images of a semi-supervised data set of a plugin; -1 takes all")
add("NUM_SHOTS", -1, "training images per class; -1 takes all")
add("NUM_SAMPLES_PER_CLASS", 20, "accepted for the paper's command lines and without effect: NUM_SHOTS counts")
add("VAL_PERCENT", 0.1, "share of the training images that a plugin's data set sets apart for validation")
add("STL10_FOLD", -1, "the labelled fold of STL-10, for a plugin; -1 takes all")
add("CIFAR_C_TYPE", "", "corruption of CIFAR-C, for a plugin")
add("CIFAR_C_LEVEL", 1, "its severity, 1 to 5")
add("ALL_AS_UNLABELED", False, "a plugin's data set uses all training images as unlabelled data too")
add(
    "SUBSAMPLE_CLASSES",
    "all",
    "all classes, their first half (base), or the second (new)",
    choices=("all", "base", "new"),
)
add("RANDOM_SEED_SAMPLING", 1, "accepted for the paper's command lines and without effect: SEED counts")
add("TRAIN_SET", "train", "accepted for the paper's files and without effect")
add("VAL_SET", "", "accepted for the paper's files and without effect")
add("TEST_SET", "val", "accepted for the paper's files and without effect: see TEST.SPLIT")
add("CENTER_CROP", False, "the paper's, for ELEVATER's tasks; used with TRAINER.LEGACY only, else see INPUT.TEST_CROP")
add("COOP", False, "the paper's: the tasks are CoOp's data sets; with TRAINER.LEGACY it chooses the loader")
add("MULTITASK", False, "train one prompt for all tasks together")
add("MULTITASK_LABEL_PERTASK", False, "label space per_task: other tasks' classes are masked out of the softmax")
add("MULTITASK_EVALKEY", "average", "what selects the best epoch: the mean over tasks (average), or one task by name")
add(
    "SAMPLING",
    "independent",
    "few-shot protocol: each task by a stream of its own, or by the rules of one of the earlier projects",
    choices=("independent", "elevater", "mvlpt", "coop"),
    ours=True,
)
add(
    "SAMPLES",
    "",
    "train on a published few-shot sample (a pickle of CoOp, JSON lines, JSON) and draw none: a file, a pattern with "
    "{task}, {shots} and {seed}, or a folder",
    ours=True,
    since="0.2.0",
)
add(
    "FOLDS",
    0,
    "split the few-shot training images into this many folds, and keep one of them as validation images; 0 does not",
    minimum=0,
    ours=True,
    since="0.2.0",
)
add("FOLD", 0, "which fold is kept as validation images, from 0", minimum=0, ours=True, since="0.2.0")
add(
    "FOLD_UNIT",
    "auto",
    "folds leave out images or whole classes; auto: images where every class has two or more",
    choices=("auto", "images", "classes"),
    ours=True,
    since="0.2.0",
)
add(
    "PSEUDO_LABELS.METHOD",
    "none",
    "train on unlabelled images under labels that the model gives: fpl once, ifpl in rounds, grip in rounds on ever"
    " more images; with NUM_SHOTS -1 no training image has a label of its own",
    choices=("none", "fpl", "ifpl", "grip"),
    ours=True,
    since="0.2.0",
)
add("PSEUDO_LABELS.PER_CLASS", 16, "images of a class that fpl and ifpl take", minimum=1, ours=True, since="0.2.0")
add(
    "PSEUDO_LABELS.ROUNDS", 10, "rounds of ifpl and grip, of MAX_EPOCH epochs each", minimum=1, ours=True, since="0.2.0"
)
add("MERGE_VAL", False, "train also on what the protocols elevater and mvlpt set apart for validation", ours=True)
add(
    "SOURCE",
    "auto",
    "where ELEVATER's tasks are read from",
    choices=("auto", "official", "torchvision", "folder"),
    ours=True,
)
add(
    "SAMPLES_DIR",
    "",
    "keep few-shot samples as JSON in this folder, and refuse to run on others",
    affects_results=False,
    ours=True,
)
add(
    "ON_BAD_IMAGE",
    "error",
    "an unreadable image ends the run, or is skipped",
    choices=("error", "skip"),
    affects_results=False,
    pinned=True,
    ours=True,
)

DATALOADER = Section("DATALOADER")
add = DATALOADER.add
add("NUM_WORKERS", 4, "processes that decode images", minimum=0, affects_results=False)
add("K_TRANSFORMS", 1, "views of an image in a batch", minimum=1)
add("RETURN_IMG0", False, "add the image without augmentation to a batch, as img0")
add("VIEWS", 0, "0 draws a new augmented view every epoch; K > 0 keeps K fixed views per image", minimum=0, ours=True)
add(
    "TASK_SAMPLING",
    "proportional",
    "how tasks share a batch",
    choices=("proportional", "uniform", "temperature"),
    ours=True,
)
add("TASK_TEMPERATURE", 1.0, "tasks are drawn with probability proportional to size ** (1 / temperature)", ours=True)
add(
    "TASK_BATCHES",
    "mixed",
    "single keeps every batch to one task, with as many steps per task as if it were alone",
    choices=("mixed", "single"),
    ours=True,
)
add("EPOCH_STEPS", 0, "steps per epoch; 0 makes one pass over the training images", minimum=0, ours=True)
add("CACHE_MB", 512, "memory for decoded training images, MiB", minimum=0, affects_results=False, ours=True)
add(
    "FEATURE_CACHE_MB",
    2048,
    "memory for frozen image features, MiB; 0 turns the feature cache off",
    minimum=0,
    affects_results=False,
    ours=True,
)
add(
    "FEATURE_DIR",
    "",
    "a folder that also keeps image features, for other runs and other machines",
    affects_results=False,
    ours=True,
)
for split, images in (("TRAIN_X", "labelled"), ("TRAIN_U", "unlabelled")):
    add(f"{split}.SAMPLER", "RandomSampler", f"order of the {images} training images")
    add(f"{split}.BATCH_SIZE", 32, f"{images} images in a batch", minimum=1)
    add(f"{split}.N_DOMAIN", 0, "domains in a batch, for RandomDomainSampler; 0 takes all")
    add(f"{split}.N_INS", 16, "images per domain or class in a batch, for samplers that balance them")
add("TRAIN_U.SAME_AS_X", True, "the options of TRAIN_X hold for TRAIN_U")
add("TEST.SAMPLER", "SequentialSampler", "order of the images in evaluation")
add("TEST.BATCH_SIZE", 32, "images in a batch of evaluation", minimum=1)
