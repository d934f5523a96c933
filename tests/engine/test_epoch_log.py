"""``metrics.csv``: a line an epoch, whatever the trainer; a resumed run goes on in the same file."""

import csv

import pytest
from support.toy import toy_config

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.engine import METRICS_FIELDS, TASK_METRICS_FIELDS, EpochLog, read_metrics, run_config
from mvlpt.engine.meters import MetricMeter
from mvlpt.engine.registries import build_trainer
from mvlpt.errors import RunFolderError
from mvlpt.runtime import Interrupted


def run(folder, **options):
    cfg = toy_config(folder, **options)
    cfg.freeze()
    return run_config(cfg)


def test_a_run_of_one_task_writes_a_line_an_epoch(toy_tasks, tmp_path):
    run(tmp_path / "run", TEST__FINAL_MODEL="best_val")
    rows = read_metrics(tmp_path / "run" / "metrics.csv")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert all(row[field] is not None for row in rows for field in METRICS_FIELDS)
    assert [row["lr"] for row in rows] == sorted([row["lr"] for row in rows], reverse=True)  # cosine
    assert all(0 <= row["train_accuracy"] <= 100 and row["images_per_second"] > 0 for row in rows)
    assert [row["elapsed"] for row in rows] == sorted(row["elapsed"] for row in rows)
    assert not (tmp_path / "run" / "task_metrics.csv").exists()


def test_a_shared_run_also_writes_a_line_for_each_task(toy_tasks, tmp_path):
    run(tmp_path / "run", DATASET__DATASET="toy-warm,toy-cold", TEST__FINAL_MODEL="best_val")
    rows = read_metrics(tmp_path / "run" / "task_metrics.csv")
    assert [(row["epoch"], row["task"]) for row in rows] == [
        (e, t) for e in (1, 2, 3) for t in ("toy-warm", "toy-cold")
    ]
    assert all(row[field] is not None for row in rows for field in TASK_METRICS_FIELDS)
    mean = sum(row["val_accuracy"] for row in rows[:2]) / 2
    assert read_metrics(tmp_path / "run" / "metrics.csv")[0]["val_accuracy"] == pytest.approx(mean, rel=1e-4)


def test_without_validation_the_column_is_empty(toy_tasks, tmp_path):
    run(tmp_path / "run")
    assert [row["val_accuracy"] for row in read_metrics(tmp_path / "run" / "metrics.csv")] == [None] * 3


def test_a_resumed_run_goes_on_in_the_same_file(toy_tasks, tmp_path, monkeypatch):
    cfg = toy_config(tmp_path / "run", RUN__SAVE_EVERY=0.0)
    cfg.freeze()
    trainer = build_trainer(cfg)
    monkeypatch.setattr("mvlpt.engine.run.build_trainer", lambda cfg: trainer)
    after_epoch = trainer.after_epoch

    def stop():
        after_epoch()
        trainer._stop.requested = trainer.epoch == 1

    monkeypatch.setattr(trainer, "after_epoch", stop)
    with pytest.raises(Interrupted):
        run_config(cfg)
    monkeypatch.undo()
    path = tmp_path / "run" / "metrics.csv"
    before = read_metrics(path)
    assert [row["epoch"] for row in before] == [1, 2]
    with open(path, "a") as handle:  # of an epoch that will run again, and half a line of a crash
        handle.write("3,9,9,,9,9,9\n4,0.1")
    again = toy_config(tmp_path / "run", RUN__SAVE_EVERY=0.0, RESUME=str(tmp_path / "run"))
    again.freeze()
    run_config(again)
    rows = read_metrics(path)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[:2] == before
    assert rows[2]["loss"] != 9
    assert rows[2]["elapsed"] > rows[1]["elapsed"]


@pytest.mark.parametrize("left", ["", "epoch,lo"])
def test_a_file_that_a_crash_cut_short_in_its_first_line_begins_again(tmp_path, left):
    (tmp_path / "metrics.csv").write_text(left)
    log = EpochLog()
    log.open(tmp_path, 0)
    epochs(log, (1.0, 50.0))
    assert [row["loss"] for row in read_metrics(tmp_path / "metrics.csv")] == [1.0]


def test_a_file_of_empty_lines_is_refused(tmp_path):
    (tmp_path / "metrics.csv").write_text("\n\n")
    with pytest.raises(RunFolderError, match="has other columns than"):
        read_metrics(tmp_path / "metrics.csv")


def test_a_trainer_with_a_loop_of_its_own_leaves_fields_empty(tmp_path):
    log = EpochLog()
    log.open(tmp_path, 0)
    log.begin(0, None, None)
    log.end(None)
    (row,) = csv.DictReader((tmp_path / "metrics.csv").open())
    assert row["epoch"] == "1"
    assert row["loss"] == row["train_accuracy"] == row["lr"] == ""


def test_losses_of_other_names_are_found(tmp_path):
    log, meter = EpochLog(), MetricMeter()
    log.open(tmp_path, 0)
    log.begin(4, 0.1, None)
    meter.update({"loss_x": 2.0, "acc_x": 50.0})
    log.add(meter, [{"label": [0, 1]}])
    log.end(None)
    assert (log.row["epoch"], log.row["loss"], log.row["train_accuracy"]) == (5, 2.0, 50.0)


def test_a_file_that_cannot_be_written_is_reported_once_and_the_run_goes_on(tmp_path, monkeypatch):
    warnings = []
    monkeypatch.setattr("mvlpt.engine.epoch_log.log.warning", lambda *words: warnings.append(words))
    log = EpochLog()
    log.open(tmp_path / "absent" / "folder", 0)
    for epoch in range(2):
        log.begin(epoch, 0.1, None)
        log.end(None)
    assert len(warnings) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [("a,b\n1,2\n", "other columns"), (",".join(METRICS_FIELDS) + "\n1,x,,,,,\n", "line 2")],
)
def test_another_file_is_refused(tmp_path, content, message):
    (tmp_path / "metrics.csv").write_text(content)
    with pytest.raises(RunFolderError, match=message):
        read_metrics(tmp_path / "metrics.csv")


def test_numbers_that_are_none_are_unknown(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(",".join(METRICS_FIELDS) + "\n1,nan,inf,1e300,-inf,5,0.5\n")
    assert list(read_metrics(path)[0].values()) == [1, None, None, None, None, 5, 0.5]
    path.write_text(",".join(METRICS_FIELDS) + f"\n{'9' * 400},1,1,1,1,1,1\n")
    with pytest.raises(RunFolderError, match="line 2"):
        read_metrics(path)


def epochs(log, *epochs):
    for number, (loss, accuracy) in enumerate(epochs):
        meter = MetricMeter()
        meter.update({"loss": loss, "acc": accuracy} if accuracy is not None else {"loss": loss})
        log.begin(number, 0.1, None)
        log.add(meter, [])
        log.end(None)
    return log


@pytest.mark.parametrize(
    ("first", "last", "failed"),
    [
        ((1.7, 65.0), (2.2, 26.0), True),
        ((1.7, 65.0), (1.8, 26.0), False),  # within what epochs differ by
        ((1.7, 65.0), (2.2, 61.0), False),
        ((1.7, 65.0), (0.2, 99.0), False),
        ((1.7, None), (2.2, None), False),
    ],
)
def test_training_that_made_it_worse_is_reported(first, last, failed):
    sentence = epochs(EpochLog(), first, (9.0, 1.0), last).failure()
    assert bool(sentence) == failed
    if failed:
        assert "rose from 1.70 to 2.20 and their accuracy fell from 65 to 26 %; lower OPTIM.LR" in sentence


def test_a_resumed_run_is_compared_with_its_first_epoch(tmp_path):
    (tmp_path / "metrics.csv").write_text(",".join(METRICS_FIELDS) + "\n1,0.5,90,,0.1,10,1\n2,2.5,20,,0.1,10,2\n")
    log = EpochLog()
    log.open(tmp_path, 2)
    assert "accuracy fell from 90 to 20 %" in epochs(log, (2.4, 20.0)).failure()


def test_a_run_says_once_that_its_training_failed(toy_tasks, tmp_path, monkeypatch):
    monkeypatch.setattr(EpochLog, "failure", lambda self: f"Training has failed after {self.row['epoch']} epochs")
    run(tmp_path / "run")
    lines = [line for line in (tmp_path / "run" / "log.txt").read_text().splitlines() if "failed" in line]
    assert len(lines) == 1
    assert "WARNING" in lines[0]
    assert lines[0].endswith("Training has failed after 3 epochs")
