"""The configuration: Dassl's and the paper's keys load, and every mistake is named."""

from pathlib import Path

import pytest

from mvlpt.config import check_config, get_cfg_default, task_names
from mvlpt.errors import ConfigError

# Written in the style of the paper's configs/trainers/MVLPT/vit_b16.yaml.
UPSTREAM_YAML = """
DATALOADER:
  TRAIN_X:
    BATCH_SIZE: 32
  TEST:
    BATCH_SIZE: 100
  NUM_WORKERS: 8
INPUT:
  SIZE: (224, 224)
  INTERPOLATION: "bicubic"
  PIXEL_MEAN: [0.48145466, 0.4578275, 0.40821073]
  TRANSFORMS: ["random_resized_crop", "random_flip", "normalize"]
OPTIM:
  NAME: "sgd"
  LR: 0.002
  MAX_EPOCH: 200
  LR_SCHEDULER: "cosine"
  WARMUP_EPOCH: 1
  WARMUP_TYPE: "constant"
  WARMUP_CONS_LR: 1e-5
MODEL:
  BACKBONE:
    NAME: "ViT-B/16"
DATASET:
  VAL_SET: ""
  TEST_SET: "val"
  CENTER_CROP: False
"""


def test_upstream_yaml_loads_with_its_meaning(tmp_path):
    path = tmp_path / "vit_b16.yaml"
    path.write_text(UPSTREAM_YAML)
    cfg = get_cfg_default()
    cfg.merge_from_file(path)
    assert cfg.DATALOADER.TRAIN_X.BATCH_SIZE == 32
    assert cfg.OPTIM.WARMUP_CONS_LR == 1e-5  # YAML reads 1e-5 as text
    assert cfg.INPUT.SIZE == (224, 224)
    assert cfg.INPUT.TRANSFORMS == ("random_resized_crop", "random_flip", "normalize")


def test_overrides_of_the_papers_scripts():
    cfg = get_cfg_default()
    cfg.merge_from_list(
        ["TRAINER.MVLPT.COOP.N_CTX", "16", "TRAINER.MVLPT.COOP.CSC", "False", "TEST.FINAL_MODEL", "best_val",
         "TRAINER.CUT_CONTEXTLEN", "True", "OPTIM.LR", "1", "MODEL.BACKBONE.PRETRAINED", "openai"]
    )  # fmt: skip
    assert cfg.TRAINER.MVLPT.COOP.N_CTX == 16
    assert cfg.TRAINER.MVLPT.COOP.CSC is False
    assert cfg.OPTIM.LR == 1.0
    assert isinstance(cfg.OPTIM.LR, float)
    assert cfg.MODEL.BACKBONE.PRETRAINED == "openai"


def test_all_mistakes_are_named_at_once_and_nothing_is_merged():
    cfg = get_cfg_default()
    with pytest.raises(ConfigError) as caught:
        cfg.merge_from_list(["OPTIM.LR", "abc", "OPTIM.MAX_EPOC", "3", "TEST.SPLIT", "val", "OPTIM", "1"])
    message = str(caught.value)
    assert "OPTIM.LR takes a number, not 'abc'" in message
    assert "unknown key OPTIM.MAX_EPOC; did you mean 'OPTIM.MAX_EPOCH'?" in message
    assert "OPTIM is a section" in message
    assert cfg.TEST.SPLIT == "test"


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (["OPTIM.LR"], "OPTIM.LR has no value"),
        (["OPTIM.LR", "1", "--out", "x"], "The option --out stands after KEY VALUE"),
        (["OPTIM.LR", "--quiet"], "The option --quiet stands after KEY VALUE"),
        (["OPTIM.MAX_EPOCH", "1.5"], "a whole number"),
        (["USE_CUDA", "1"], "True or False"),
        (["INPUT.SIZE", "48"], "a list"),
        (["OPTIM.MAX_EPOCH", "True"], "a whole number"),
    ],
)
def test_wrong_types(pairs, expected):
    with pytest.raises(ConfigError, match=expected):
        get_cfg_default().merge_from_list(pairs)


@pytest.mark.parametrize(
    ("content", "expected"),
    [("- a\n- b\n", "must hold sections"), ("a: [1\n", "not valid YAML"), ("OPTIM: 3\n", "OPTIM is a section")],
)
def test_bad_files(tmp_path, content, expected):
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=expected) as caught:
        get_cfg_default().merge_from_file(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_python_file(tmp_path):
    with pytest.raises(ConfigError, match="No config file at"):
        get_cfg_default().merge_from_file(tmp_path / "absent.yaml")
    program = tmp_path / "config.py"
    program.write_text("open('ran', 'w')")
    with pytest.raises(ConfigError, match="would be executed"):
        get_cfg_default().merge_from_file(program)
    assert not Path("ran").exists()


def test_a_frozen_config_is_refused_and_a_dump_loads_again(tmp_path):
    cfg = get_cfg_default()
    cfg.merge_from_list(["OPTIM.LR", "0.01", "INPUT.TRANSFORMS", "normalize"])
    cfg.freeze()
    with pytest.raises(ConfigError, match="frozen"):
        cfg.merge_from_list(["OPTIM.LR", "0.1"])
    path = tmp_path / "config.yaml"
    path.write_text(cfg.dump())
    again = get_cfg_default()
    again.merge_from_file(path)
    assert again == cfg


def test_checks_report_every_problem():
    cfg = get_cfg_default()
    cfg.OPTIM.LR_SCHEDULER = "cosin"
    cfg.DATASET.NUM_SHOTS = 0
    cfg.DATASET.DATASET = "a,b,a"
    cfg.DATASET.MULTITASK_EVALKEY = "c"
    with pytest.raises(ConfigError) as caught:
        check_config(cfg)
    message = str(caught.value)
    for part in (
        "did you mean 'cosine'?",
        "DATASET.NUM_SHOTS is 0",
        "task 'a' is named 2 times",
        "MULTITASK_EVALKEY is 'c'",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("INPUT.SIZE a,b", "INPUT.SIZE is ('a', 'b'), but must be a list of 2 whole numbers"),
        ("INPUT.SIZE (48.5,48)", "INPUT.SIZE is (48.5, 48), but must be a list of 2 whole numbers"),
        ("INPUT.SIZE (48,)", "INPUT.SIZE is (48,), but must be a list of 2 whole numbers"),
        ("INPUT.SIZE (48,True)", "INPUT.SIZE is (48, True), but must be"),
        ("INPUT.SIZE (0,48)", "INPUT.SIZE is (0, 48), but each value must be at least 1"),
        ("INPUT.PIXEL_MEAN (1,2)", "INPUT.PIXEL_MEAN is [1, 2], but must be a list of 3 numbers"),
        ("INPUT.PIXEL_STD (1,1,1e999)", "INPUT.PIXEL_STD is [1, 1, inf], but must be a list of 3 numbers"),
        ("INPUT.RRCROP_SCALE (-1,-1)", "INPUT.RRCROP_SCALE is (-1, -1), but each value must be at least 0"),
        ("INPUT.RRCROP_SCALE (1.0,0.5)", "INPUT.RRCROP_SCALE is (1.0, 0.5), but the smallest share comes first"),
        ("OPTIM.STEPSIZE x", "OPTIM.STEPSIZE is ('x',), but must be a list of whole numbers"),
        ("RUN.LOGGER (1,)", "RUN.LOGGER is (1,), but must be a list of strings"),
        ("INPUT.TRANSFORMS gaussian_blur INPUT.GB_K 2", "INPUT.GB_K is 2, but must be odd"),
        ("OPTIM.NAME adamw OPTIM.ADAM_BETA2 1", "OPTIM.ADAM_BETA2 is 1.0, but must be below 1"),
        ("OPTIM.NAME sgd OPTIM.SGD_NESTEROV True OPTIM.MOMENTUM 0", "OPTIM.SGD_NESTEROV needs OPTIM.MOMENTUM above 0"),
        ("OUTPUT_DIR a\0b", "OUTPUT_DIR is 'a\\x00b', which holds a null byte"),
        ("DATASET.ROOT a\ud800", "DATASET.ROOT is 'a\\ud800', which holds a null byte or half of a surrogate pair"),
    ],
)
def test_values_that_would_fail_later_are_refused(words, expected):
    cfg = get_cfg_default()
    cfg.merge_from_list(words.split(" "))
    with pytest.raises(ConfigError) as caught:
        check_config(cfg)
    assert expected in str(caught.value)


def test_lists_hold_what_their_defaults_hold():
    cfg = get_cfg_default()
    words = [
        "INPUT.PIXEL_MEAN",
        "(0,0.5,1)",
        "OPTIM.STEPSIZE",
        "(30,60)",
        "RUN.LOGGER",
        "csv",
        "INPUT.TRANSFORMS",
        "()",
    ]
    cfg.merge_from_list([*words, "OUTPUT_DIR", "caf\udce9"])  # a name that is not UTF-8
    check_config(cfg)


def test_defaults_pass_their_own_checks_and_are_never_shared():
    check_config(get_cfg_default())
    one, other = get_cfg_default(), get_cfg_default()
    one.OPTIM.LR = 1.0
    assert other.OPTIM.LR != 1.0


def test_task_names_prefers_the_papers_key():
    cfg = get_cfg_default()
    cfg.DATASET.NAME = "x"
    assert task_names(cfg) == ["x"]
    cfg.DATASET.DATASET = "b, a,"
    assert task_names(cfg) == ["b", "a"]


def test_a_file_builds_on_its_base(tmp_path):
    (tmp_path / "base.yaml").write_text("OPTIM: {LR: 0.5, MAX_EPOCH: 7}\n")
    (tmp_path / "below").mkdir()
    path = tmp_path / "below" / "own.yaml"
    path.write_text("_BASE_: ../base.yaml\nOPTIM: {LR: 0.25}\n")
    cfg = get_cfg_default()
    cfg.merge_from_file(path)
    assert (cfg.OPTIM.LR, cfg.OPTIM.MAX_EPOCH) == (0.25, 7)
    path.write_text("_BASE_: ../base.yaml\nOPTIM: {LRR: 1}\n")
    cfg = get_cfg_default()
    with pytest.raises(ConfigError, match=r"own\.yaml: unknown key OPTIM\.LRR"):
        cfg.merge_from_file(path)
    assert cfg == get_cfg_default()  # nothing of the base, either
    (tmp_path / "base.yaml").write_text("OPTIM: {LR: fast}\n")
    with pytest.raises(ConfigError, match=r"base\.yaml: OPTIM\.LR takes a number.*own\.yaml: unknown key OPTIM\.LRR"):
        cfg.merge_from_file(path)
    path.write_text('_BASE_: "\\ud800"\n')
    with pytest.raises(ConfigError, match="name one file"):
        get_cfg_default().merge_from_file(path)
    path.write_text("_BASE_: ../base.yaml\n")
    (tmp_path / "base.yaml").write_text("_BASE_: below/own.yaml\n")
    with pytest.raises(ConfigError, match="builds on itself"):
        get_cfg_default().merge_from_file(path)
