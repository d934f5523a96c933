"""``mvlpt export``: folders that open_clip, onnxruntime and the Hub can use, checked in processes of their own."""

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
import yaml
from support.toy import draw, toy_config

import mvlpt
from mvlpt.cli import main
from mvlpt.engine import run_config
from mvlpt.exports import EXPORT_FORMATS, Written, export, register_export_format
from mvlpt.exports.exporting import default_folder
from mvlpt.inference import find_source, load

PLAIN = """
import json, sys
USAGE
assert not any(name.split(".")[0] == "mvlpt" for name in sys.modules)
print(json.dumps(logits[0].tolist()))
"""


@pytest.fixture(scope="module")
def runs(toy_tasks, tmp_path_factory):
    """One run with a text prompt, one with a visual prompt shared by two tasks."""
    root = tmp_path_factory.mktemp("exported")
    text = toy_config(root / "text", OPTIM__MAX_EPOCH=1)
    visual = toy_config(root / "visual", OPTIM__MAX_EPOCH=1, DATASET__DATASET="toy-warm,toy-cold")
    visual.merge_from_list(["TRAINER.NAME", "MVLPT-VPT", "TRAINER.MVLPT.VPT.N_CTX", "2"])
    for cfg in (text, visual):
        cfg.freeze()
        run_config(cfg)
    return root


def test_plain_open_clip_uses_the_weights_as_shown(runs, tmp_path):
    exported = export(runs / "text", out=tmp_path / "out", license="cc-by-4.0")
    image = draw("red", 7, "toy-warm").resize((80, 60))
    image.save(tmp_path / "out" / "image.png")
    program = PLAIN.replace("USAGE", exported.usage)
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path / "out", capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    expected = load(runs / "text", device="cpu").logits([tmp_path / "out" / "image.png"])[0]
    found = torch.tensor(json.loads(ended.stdout))
    torch.testing.assert_close(found, expected, atol=2e-2, rtol=1e-3)  # resized by another library
    assert found.argmax() == expected.argmax()


@pytest.mark.slow
@pytest.mark.skipif(not all(map(find_spec, ("onnx", "onnxscript", "onnxruntime"))), reason="needs mvlpt[export]")
def test_onnx_has_a_dynamic_batch_and_equals_the_run(runs, tmp_path):
    import onnxruntime

    exported = export(runs / "visual", "onnx", tmp_path / "out", task="toy-cold")
    assert "onnxruntime gives the same logits" in exported.verified
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "model.onnx"), providers=["CPUExecutionProvider"])
    classifier = load(runs / "visual", "toy-cold", device="cpu")
    for count in (1, 2, 7):
        pixels = torch.randn(count, 3, 48, 48)
        (logits,) = session.run(None, {"pixels": pixels.numpy()})
        np.testing.assert_allclose(logits, classifier.logits(pixels).numpy(), atol=1e-4, rtol=1e-4)


def test_the_card_is_one_that_the_hub_reads(runs, tmp_path):
    from huggingface_hub import ModelCard

    export(runs / "visual", "torchscript", tmp_path / "out", task="toy-warm", license="MIT")
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert (card.data.license, card.data.library_name, card.data.datasets) == (
        "mit",
        "pytorch",
        ["toy-warm", "toy-cold"],
    )
    (result,) = card.data.eval_results
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    (row,) = record["results"]
    assert (result.dataset_name, result.metric_type, result.metric_value) == ("toy-warm", "accuracy", row["value"])
    assert record["backbone"]["fingerprint"] in card.text
    assert record["data"]["fingerprint"] in card.text
    assert all(f"{number}. {name}" in card.text for number, name in enumerate(record["classes"]))
    head = (tmp_path / "out" / "README.md").read_text().split("---\n")[1]
    assert yaml.safe_load(head)["model-index"][0]["name"] == "MVLPT-VPT for toy-warm"


def test_only_scores_of_what_is_exported_are_on_the_card(runs, tmp_path):
    """Scores of the run's classes say nothing of other ones; a checkpoint has the record of its run."""
    checkpoints = runs / "text" / "prompt_learner"
    (last,) = checkpoints.glob("model.pth.tar-*")
    for number, (source, classes, scores) in enumerate(((runs / "text", ["a", "b"], 0), (last, None, 1))):
        exported = export(source, out=tmp_path / str(number), classes=classes)
        record = json.loads((exported.folder / "export.json").read_text())
        assert (len(record["results"]), record["trained_on"]) == (scores, ["toy-warm"])
        assert ("recorded no score of these classes" in (exported.folder / "README.md").read_text()) == (not scores)


def test_the_default_folder_is_beside_the_run(runs, monkeypatch):
    monkeypatch.chdir(runs / "text")
    for source in (".", runs / "text", runs / "text" / "prompt.safetensors", "prompt_learner", "prompt_learner/.."):
        assert default_folder(find_source(source), "onnx", None).resolve() == runs.resolve() / "text-onnx"
    assert default_folder(find_source(runs / "visual"), "onnx", "a/b").name == "visual-a_b-onnx"


def test_a_damaged_record_of_the_run_is_no_hindrance(runs, tmp_path):
    copy = shutil.copytree(runs / "text", tmp_path / "copy")
    (copy / "run.json").write_text('{"trained_with": {"tasks": 7, "sampling": []}, "options": 5, "data": []}')
    record = json.loads((export(copy).folder / "export.json").read_text())
    assert (record["trained_on"], record["data"]) == ([], {"fingerprint": "", "sampling": {}})


def test_the_command_and_new_classes(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(runs)
    prompt = runs / "text" / "prompt.safetensors"
    assert main(["export", str(prompt), "--classes", 'a red door,"doors, blue"', "--out", str(tmp_path / "new")]) == 0
    shown = capsys.readouterr().out
    assert "Plain open_clip gives the same logits" in shown
    assert "    weights = load_file" in shown
    assert "names no licence" in shown
    assert json.loads((tmp_path / "new" / "export.json").read_text())["classes"] == ["a red door", "doors, blue"]
    assert main(["export", "--list"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} >= {"open_clip", "onnx", "torchscript"}
    before = (tmp_path / "new" / "README.md").stat().st_mtime_ns
    assert main(["export", str(prompt), "--out", str(tmp_path / "new")]) == 2
    assert "exists; choose another --out, or replace it with --force" in capsys.readouterr().err
    assert (tmp_path / "new" / "README.md").stat().st_mtime_ns == before
    assert main(["export", str(prompt), "--out", str(tmp_path / "new"), "--force"]) == 0
    assert len(json.loads((tmp_path / "new" / "export.json").read_text())["classes"]) == 3
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.endswith((".tmp", ".removed"))) == []


MISTAKES = {
    "no run": (["nowhere"], "There is no run and no prompt at nowhere"),
    "nothing": ([], "No run is named"),
    "format": (["text", "--to", "onxx"], "did you mean 'onnx'?"),
    "licence": (["text", "--license", "mti"], "did you mean 'mit'?"),
    "visual": (["visual", "--task", "toy-warm"], "changes the image tower, which plain open_clip cannot do"),
    "several": (["visual", "--to", "torchscript"], "toy-warm"),
    "not ours": (["text", "--out", "precious", "--force"], "precious is no export, so --force does not replace it"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_are_one_sentence_and_leave_nothing(runs, monkeypatch, capsys, kind):
    monkeypatch.chdir(runs)
    (runs / "precious").mkdir(exist_ok=True)
    before = sorted(path.name for path in runs.iterdir())
    words, expected = MISTAKES[kind]
    assert main(["export", *words]) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert len(said.strip().splitlines()) == 1
    assert sorted(path.name for path in runs.iterdir()) == before


def test_a_plugin_adds_a_format(runs, tmp_path):
    @register_export_format("names", "the class names")
    def write(classifier, folder):
        (folder / "names.txt").write_text("\n".join(classifier.class_names))
        return Written("open('names.txt')\n", "Nothing to check.", "none")

    try:
        exported = mvlpt.export(runs / "text", to="names", out=tmp_path / "out")
        assert exported.files == ("README.md", "export.json", "names.txt")
    finally:
        EXPORT_FORMATS._entries.pop("names")
