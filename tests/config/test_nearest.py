"""What an unknown key may have meant, and lists of names in which paths may hold commas."""

import time

import pytest

from mvlpt.config import OPTIONS, get_cfg_default, is_option_key, split_names, split_overrides, suggest_key
from mvlpt.errors import ConfigError

MEANT = {
    "OPTIM.LEARNING_RATE": "OPTIM.LR",
    "LEARNING_RATE": "OPTIM.LR",
    "OPTIM.LRR": "OPTIM.LR",
    "optim.lr": "OPTIM.LR",
    "LR": "OPTIM.LR",
    "OPTIM.EPOCHS": "OPTIM.MAX_EPOCH",
    "TRAIN.EPOCHS": "OPTIM.MAX_EPOCH",
    "OPTIM.BATCH_SIZE": "DATALOADER.TRAIN_X.BATCH_SIZE",
    "DATASET.SHOTS": "DATASET.NUM_SHOTS",
    "OPTIM.WD": "OPTIM.WEIGHT_DECAY",
    "OPTIM.OPTIMIZER": "OPTIM.NAME",
    "BACKBONE.NAME": "MODEL.BACKBONE.NAME",
    "DATALOADER.WORKERS": "DATALOADER.NUM_WORKERS",
    "INPUT.IMAGE_SIZE": "INPUT.SIZE",
    "TRAINER.COOP.NCTX": "TRAINER.COOP.N_CTX",
    "TEST.CONFUSION_MATRIX": "TEST.COMPUTE_CMAT",
    "OUTPUTDIR": "OUTPUT_DIR",
}


@pytest.mark.parametrize("key", MEANT)
def test_the_option_that_was_meant_is_suggested(key):
    assert suggest_key(key, OPTIONS) == f"; did you mean '{MEANT[key]}'?"
    with pytest.raises(ConfigError, match=f"unknown key {key}; did you mean '{MEANT[key]}'"):
        get_cfg_default().merge_from_list([key, 1])


@pytest.mark.parametrize("key", ["FOO.BAR", "XYZ"])
def test_a_key_that_is_like_none_gets_no_misleading_answer(key):
    assert suggest_key(key, OPTIONS) == "; `mvlpt config list` shows them all"


def test_pairs_may_be_written_with_a_sign():
    cfg = get_cfg_default()
    cfg.merge_from_list(["OPTIM.LR=0.1", "SEED", 3, "DATASET.ROOT=a=b"])
    assert (cfg.OPTIM.LR, cfg.SEED, cfg.DATASET.ROOT) == (0.1, 3, "a=b")
    assert split_overrides(["DATASET.ROOT", "OPTIM.LR=1"]) == ["DATASET.ROOT", "OPTIM.LR=1"]  # a value stays whole


def test_what_is_written_as_a_key():
    assert all(map(is_option_key, ("OPTIM.LR", "SEED", "TRAINER.MINE.Alpha")))
    assert not any(map(is_option_key, ("weather-plain", "optim.lr", "FOTOS", "a.yaml", 3)))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a, b,,c", ["a", "b", "c"]),
        ("cats,dogs/,other", ["cats,dogs/", "other"]),
        ("other,cats,dogs/", ["other", "cats,dogs/"]),
        ("cats,dogs", ["cats", "dogs"]),
        ("./cats,dogs", ["./cats,dogs"]),
        ("x,y.yaml,cats,dogs/", ["x,y.yaml", "cats,dogs/"]),
        ("no,such/", ["no", "such/"]),
        ("cats,dogs/a,b/,c", ["cats,dogs/a,b/", "c"]),
        ("", []),
    ],
)
def test_a_comma_in_a_path_cuts_no_name(text, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cats,dogs" / "a,b").mkdir(parents=True)
    (tmp_path / "x,y.yaml").write_text("images: .\n")
    assert split_names(text) == names


@pytest.mark.parametrize("name", ["task-{}", "no/such/task-{}/", "task-{}.yaml"])
def test_a_thousand_names_are_split_at_once(name):
    names = [name.format(number) for number in range(1000)]
    start = time.process_time()
    assert split_names(",".join([*names, "photos/"])) == [*names, "photos/"]
    assert time.process_time() - start < 2
