"""Options of the model and its training: ``MODEL``, ``OPTIM`` and ``TRAINER``."""

from __future__ import annotations

from mvlpt.config.options.option import Section

POSITIONS = ("end", "middle", "front")
PRECISIONS = ("fp32", "fp16", "bf16", "amp")

MODEL = Section("MODEL")
add = MODEL.add
add("INIT_WEIGHTS", "", "for trainers of plugins: a checkpoint to start a model from")
add("BACKBONE.NAME", "", "an architecture of open_clip, CoOp's spelling (ViT-B/16), 'embedded', or local-dir:FOLDER")
add(
    "BACKBONE.PRETRAINED",
    True,
    "True: the weights that belong to the name; a tag of open_clip; a file; False: random weights",
)
add("HEAD.NAME", "", "for trainers of plugins: layers on top of a backbone")
add("HEAD.ACTIVATION", "relu", "their activation")
add("HEAD.BN", True, "with batch normalisation")
add("HEAD.HIDDEN_LAYERS", (), "their widths")
add("HEAD.DROPOUT", 0.0, "their dropout")

OPTIM = Section("OPTIM")
add = OPTIM.add
add("NAME", "adam", "the optimiser", choices=("adam", "amsgrad", "sgd", "rmsprop", "radam", "adamw"))
add("LR", 0.0003, "learning rate", minimum=0)
add("WEIGHT_DECAY", 5e-4, "weight decay", minimum=0)
add("MOMENTUM", 0.9, "momentum of sgd and rmsprop", minimum=0)
add("SGD_DAMPNING", 0.0, "dampening of sgd's momentum (Dassl's spelling)")
add("SGD_NESTEROV", False, "Nesterov momentum")
add("RMSPROP_ALPHA", 0.99, "smoothing of rmsprop", minimum=0)
add("ADAM_BETA1", 0.9, "first beta of the Adam family, below 1", minimum=0)
add("ADAM_BETA2", 0.999, "second beta of the Adam family, below 1", minimum=0)
add("ADAM_EPS", 1e-8, "what the Adam family adds to the root of the second moment", minimum=0, since="0.2.0")
add("STAGED_LR", False, "another learning rate for layers that are not new")
add("NEW_LAYERS", (), "names of the new layers")
add("BASE_LR_MULT", 0.1, "factor on the learning rate of the other layers")
add(
    "LR_SCHEDULER",
    "single_step",
    "the course of the learning rate",
    choices=("single_step", "multi_step", "cosine", "constant"),
)
add("STEPSIZE", (-1,), "epochs at which single_step and multi_step reduce it; -1: never")
add("GAMMA", 0.1, "factor by which they do")
add("MAX_EPOCH", 10, "epochs of training", minimum=1)
add("WARMUP_EPOCH", -1, "epochs of warm-up; -1 for none")
add("WARMUP_TYPE", "linear", "the learning rate during warm-up", choices=("constant", "linear"))
add("WARMUP_CONS_LR", 1e-5, "learning rate of a constant warm-up")
add("WARMUP_MIN_LR", 1e-5, "first learning rate of a linear warm-up")
add("WARMUP_RECOUNT", True, "start counting epochs for the schedule after the warm-up")

TRAINER = Section("TRAINER")
add = TRAINER.add
add("NAME", "", "a registered trainer (mvlpt train --list)")
add(
    "CUT_CONTEXTLEN",
    False,
    "accepted for the paper's files and without effect: text is always cut to the longest prompt",
)
add("ACT_CKPT", 1, "> 1: recompute activations of the text tower in this many chunks of classes, which saves memory")
add("LEGACY", False, "repeat the errors of the paper's code that docs/models.md lists", ours=True)
add("COMPILE", False, "compile the model with torch.compile", ours=True)
add(
    "CUDA_GRAPHS",
    True,
    "on a GPU, record the towers' training passes and replay them as CUDA graphs",
    affects_results=False,
    ours=True,
)
add("COOP.N_CTX", 16, "contexts of the text prompt", minimum=1)
add("COOP.CSC", False, "contexts of its own for each class")
add("COOP.CTX_INIT", "", "words whose embeddings the contexts start from; there are then as many contexts as words")
add("COOP.PREC", "fp32", "number type of the backbone; half precision needs a GPU", choices=PRECISIONS)
add("COOP.CLASS_TOKEN_POSITION", "end", "where the class name stands among the contexts", choices=POSITIONS)
add("COCOOP.N_CTX", 16, "contexts of the text prompt that each image shifts", minimum=1)
add("COCOOP.CTX_INIT", "", "words that they start from")
add("COCOOP.PREC", "fp32", "number type of the backbone", choices=PRECISIONS)
add("ZEROSHOT.ENSEMBLE", True, "average the text features of all of the task's templates", ours=True)
add("ZEROSHOT.TEMPLATE", "", "one template in the place of the task's, such as 'a photo of a {}.'", ours=True)
add("MAPLE.N_CTX", 2, "contexts in each block of each tower", minimum=1, since="0.2.0")
add("MAPLE.CTX_INIT", "a photo of a", "words whose first tokens the contexts start from", since="0.2.0")
add("MAPLE.PROMPT_DEPTH", 9, "blocks with contexts of their own", minimum=1, since="0.2.0")
add("MAPLE.PREC", "fp32", "number type of the backbone", choices=PRECISIONS, since="0.2.0")
for name, contexts in (("IVLP", 2), ("PROMPTSRC", 4)):
    add(f"{name}.N_CTX_VISION", contexts, "visual prompts in each block", minimum=1, since="0.2.0")
    add(f"{name}.N_CTX_TEXT", contexts, "text contexts in each block", minimum=1, since="0.2.0")
    add(f"{name}.CTX_INIT", "a photo of a", "words whose first tokens the contexts start from", since="0.2.0")
    add(f"{name}.PROMPT_DEPTH_VISION", 9, "image blocks with prompts of their own", minimum=1, since="0.2.0")
    add(f"{name}.PROMPT_DEPTH_TEXT", 9, "text blocks with contexts of their own", minimum=1, since="0.2.0")
    add(f"{name}.PREC", "fp32", "number type of the backbone", choices=PRECISIONS, since="0.2.0")
add("PROMPTSRC.TEXT_LOSS_WEIGHT", 25.0, "of the distance to untuned text features", minimum=0, since="0.2.0")
add("PROMPTSRC.IMAGE_LOSS_WEIGHT", 10.0, "of the distance to untuned image features", minimum=0, since="0.2.0")
add("PROMPTSRC.GPA_MEAN", 15.0, "epoch that counts most in the average of prompts", since="0.2.0")
add("PROMPTSRC.GPA_STD", 1.0, "epochs around it that count", minimum=1e-6, since="0.2.0")
add("LORA.RANK", 2, "rank of the changes of attention", minimum=1, ours=True, since="0.2.0")
add("LORA.ALPHA", 1.0, "they are scaled by ALPHA / sqrt(RANK)", ours=True, since="0.2.0")
add("LORA.LORA_DROPOUT", 0.25, "dropout of the tokens that they see", minimum=0, maximum=1, ours=True, since="0.2.0")
add("LORA.PARAMS", "qkv", "which projections change: some of the letters q, k, v", ours=True, since="0.2.0")
add("LORA.PREC", "fp32", "number type of the backbone", choices=PRECISIONS, ours=True, since="0.2.0")
add("DEPT.N_CTX", 4, "contexts of the text prompt", minimum=1, since="0.2.0")
add("DEPT.CTX_INIT", "", "words that they start from; there are then as many contexts as words", since="0.2.0")
add("DEPT.RANK", 10, "rank of the offsets of the tokens after the contexts", minimum=1, ours=True, since="0.2.0")
add("DEPT.ALPHA", 8.0, "the offsets are scaled by ALPHA / sqrt(RANK)", ours=True, since="0.2.0")
add(
    "DEPT.OFFSET_LR_MULT",
    0.1,
    "learning rate of the offsets, as a multiple of OPTIM.LR",
    minimum=0,
    ours=True,
    since="0.2.0",
)
add("DEPT.PREC", "fp32", "number type of the backbone", choices=PRECISIONS, since="0.2.0")
add("RAMT.MASK_START", 1e-2, "numbers behind the masks, before training", ours=True, since="0.2.0")
add("RAMT.MASK_THRESHOLD", 5e-3, "a weight is kept while its number is above this", ours=True, since="0.2.0")
add("RAMT.NORM_WEIGHT", 1e-4, "weight of the norms of these numbers", minimum=0, ours=True, since="0.2.0")
add("RAMT.DROPOUT", 1.0, "strength of gradient dropout, 0 for none", minimum=0, maximum=1, ours=True, since="0.2.0")
add("RAMT.T", 1.0, "temperature of the untuned distribution", minimum=1e-6, ours=True, since="0.2.0")
add("RAMT.PREC", "fp32", "number type of the backbone", choices=PRECISIONS, ours=True, since="0.2.0")
add(
    "TWOSTAGE.FIRST_SHARE",
    0.6,
    "share of the epochs that tune layer norms",
    minimum=0,
    maximum=1,
    ours=True,
    since="0.2.0",
)
add("TWOSTAGE.PREC", "fp32", "number type of the backbone", choices=PRECISIONS, ours=True, since="0.2.0")
add("KGCOOP.W", 8.0, "weight of the distance to untuned text features", minimum=0, ours=True, since="0.2.0")
add("PROGRAD.LAMBDA", 1.0, "how much of the conflict with zero-shot is removed", minimum=0, ours=True, since="0.2.0")
add("PROGRAD.T", 1.0, "temperature of the zero-shot distribution", minimum=1e-6, ours=True, since="0.2.0")
add("TIPADAPTER.ALPHA", 1.0, "weight of the memory beside the zero-shot logits", ours=True, since="0.2.0")
add("TIPADAPTER.BETA", 5.5, "sharpness of the similarity with images in memory", ours=True, since="0.2.0")
add("LPPLUSPLUS.ALPHA_SCALE", 250.0, "factor of the initial blending weights", ours=True, since="0.2.0")
add("LPPLUSPLUS.ALPHA_EVERY", 10, "steps between updates of the blending weights", ours=True, since="0.2.0")
add("CLAP.CONSTRAINT", True, "keep weights near the zero-shot ones; False: ZS-LP", ours=True, since="0.2.0")
add("TASKRES.RESIDUAL_SCALE", 0.5, "factor of the residuals of text features", ours=True, since="0.2.0")
add("CROSSMODAL.TEXT_SHARE", 0.5, "share of class prompts in the loss", ours=True, since="0.2.0")
add("KNN.NEIGHBORS", 8, "images that vote", ours=True, since="0.2.0")
add("KNN.TEMPERATURE", 0.07, "of their votes: exp(cosine / temperature)", ours=True, since="0.2.0")
add("TPT.N_CTX", 4, "contexts of the prompt that every test image starts from", minimum=1, ours=True, since="0.2.0")
add("TPT.CTX_INIT", "a photo of a", "words that they start from", ours=True, since="0.2.0")
add("TPT.CSC", False, "contexts of its own for each class", ours=True, since="0.2.0")
add("TPT.CLASS_TOKEN_POSITION", "end", "place of the class name", choices=POSITIONS, ours=True, since="0.2.0")
add("TPT.PREC", "fp32", "number type of the backbone", choices=PRECISIONS, ours=True, since="0.2.0")
add("TPT.VIEWS", 64, "views of a test image, with the image itself", minimum=1, ours=True, since="0.2.0")
add(
    "TPT.CONFIDENT",
    0.1,
    "share of the views that count, the most certain ones",
    minimum=1e-6,
    maximum=1,
    ours=True,
    since="0.2.0",
)
add("TPT.STEPS", 1, "steps on each test image", minimum=1, ours=True, since="0.2.0")
add("TPT.LR", 0.005, "learning rate of AdamW on a test image", minimum=0, ours=True, since="0.2.0")
add("TPT.WEIGHT_DECAY", 0.01, "its weight decay", minimum=0, ours=True, since="0.2.0")
add("TFUP.ALPHA", 0.3, "weight of the memory beside the zero-shot logits", ours=True, since="0.2.0")
add("TFUP.BETA", 1.0, "sharpness of the similarity with images in memory", ours=True, since="0.2.0")
add("TFUP.SHARPNESS", 10.0, "factor of cosines in the class probabilities compared", ours=True, since="0.2.0")
add("TFUP.SHARE", 0.3, "share of a task's images that is remembered", ours=True, since="0.2.0")
add("TFUP.LEAST", 9, "images of a class that are remembered at least", ours=True, since="0.2.0")
add("TFUP.MOST", 16, "images of a class that are remembered at most", ours=True, since="0.2.0")
add("MVLPT.PREC", "fp32", "number type of the backbone; half precision needs a GPU", choices=PRECISIONS)
add(
    "MVLPT.PROJECT_METHOD",
    "transformer",
    "how the text and visual prompts of UPT are joined",
    choices=("transformer", "mlp", "identity"),
)
add("MVLPT.PROJECT_DIM", 128, "the width in which they are joined", minimum=1)
add(
    "MVLPT.PRIVATE.RANK",
    0,
    "rank of the factor by which each task changes the shared prompt; 0: tasks share the whole prompt",
    minimum=0,
    ours=True,
    since="0.2.0",
)
add(
    "MVLPT.PRIVATE.LR_MULT",
    1.0,
    "learning rate of the private parts, as a multiple of OPTIM.LR",
    minimum=0,
    ours=True,
    since="0.2.0",
)
add(
    "MVLPT.DISTILL.WEIGHT",
    0.0,
    "weight of the distance to the logits of the prompt that the run starts from; 0: none",
    minimum=0,
    ours=True,
    since="0.2.0",
)
add(
    "MVLPT.DISTILL.LOSS",
    "kl",
    "that distance: kl, the divergence of the probabilities; mse, the mean squared difference",
    choices=("kl", "mse"),
    ours=True,
    since="0.2.0",
)
add("MVLPT.DISTILL.TEMPERATURE", 1.0, "temperature of kl", minimum=1e-6, ours=True, since="0.2.0")
add(
    "MVLPT.DISTILL.FRESH",
    False,
    "start afresh; the prompt that the run would start from only teaches",
    ours=True,
    since="0.2.0",
)
add(
    "MVLPT.META.INNER_STEPS",
    0,
    "steps on a batch of one task before the shared prompt moves to where they led (Reptile); 0: plain training",
    minimum=0,
    ours=True,
    since="0.2.0",
)
add(
    "MVLPT.META.RATE",
    1.0,
    "share of the way that it moves, in the first epoch; it falls linearly",
    minimum=0,
    ours=True,
    since="0.2.0",
)
add("MVLPT.META.BATCH", 0, "images of an inner step; 0: the whole batch", minimum=0, ours=True, since="0.2.0")
add("MVLPT.VPT.N_CTX", 0, "visual prompts in a block; 0: none for MVLPT, the trainer's default elsewhere", minimum=0)
add("MVLPT.VPT.CSC", False, "accepted for the paper's files and without effect")
add("MVLPT.VPT.CTX_INIT", "", "accepted for the paper's files and without effect")
add("MVLPT.VPT.DROPOUT", 0.0, "dropout on visual prompts")
add("MVLPT.VPT.PROJECT", -1, "train visual prompts of this width and project them; -1: at the vision width")
add("MVLPT.VPT.DEEP", True, "visual prompts in every block, not in the first only")
add("MVLPT.COOP.N_CTX", 0, "text contexts; 0: none for MVLPT, the trainer's default elsewhere", minimum=0)
add("MVLPT.COOP.CSC", False, "contexts of its own for each class")
add("MVLPT.COOP.CTX_INIT", "", "words whose embeddings the contexts start from")
add("MVLPT.COOP.CLASS_TOKEN_POSITION", "middle", "where the class name stands among the contexts", choices=POSITIONS)
add("MVLPT.COCOOP.N_CTX", 0, "contexts of the text prompt that each image shifts; 0: none", minimum=0)
add("MVLPT.COCOOP.CTX_INIT", "", "words that they start from")
add("MVLPT.COCOOP.PREC", "fp32", "accepted for the paper's files: MVLPT.PREC counts", choices=PRECISIONS)
