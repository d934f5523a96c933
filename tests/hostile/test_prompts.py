"""Prompt files whose header is absurd, and features and weights in safetensors that lie about themselves."""

import json
import os
import struct

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from support.attacks import Attack, check
from support.hostile_texts import CLEAR, DEEP_JSON, TITLE

pytestmark = pytest.mark.hostile

HUGE = 10**400


def parts(path):
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["mvlpt"]), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def rewritten(**changes):
    """Changes fields of the header; ``options__x`` is the field ``x`` of ``options``."""

    def change(path):
        header, tensors = parts(path)
        for key, value in changes.items():
            section, _, name = key.partition("__")
            (header[section] if name else header).update({name or section: value})
        save_file(tensors, path, {"mvlpt": json.dumps(header)})

    return change


def header(text):
    def change(path):
        save_file(parts(path)[1], path, {"mvlpt": text})

    return change


def raw(content):
    return lambda path: path.write_bytes(content)


def safetensors(head, data=b""):
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return raw(struct.pack("<Q", len(text)) + text + data)


def tensors(change):
    def make(path):
        held, given = parts(path)
        from mvlpt.models.prompt_file import hash_tensors

        given = {key: change(value).contiguous() for key, value in given.items()}
        save_file(given, path, {"mvlpt": json.dumps({**held, "sha256": hash_tensors(given)})})

    return make


def replaced(how):
    def change(path):
        path.unlink()
        how(path)

    return change


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
ATTACKS = {
    "deep": header(DEEP_JSON),
    "digits": header('{"format": ' + "1" * 5000 + "}"),
    "list": header("[1]"),
    "version": rewritten(format=TITLE),
    "version_huge": rewritten(format=HUGE),
    "method_controls": rewritten(method=TITLE + CLEAR),
    "method_long": rewritten(method="x" * 100_000),
    "backbone_controls": rewritten(backbone=CLEAR),
    "pretrained_device": rewritten(pretrained="/dev/zero", backbone="ViT-B-32"),
    "n_ctx_negative": rewritten(options__n_ctx=-4),
    "n_ctx_huge": rewritten(options__n_ctx=HUGE),
    "n_ctx_text": rewritten(options__n_ctx="4"),
    "ctx_init_long": rewritten(options__ctx_init="a " * 100_000),
    "option_unknown": rewritten(**{"options__\x1b[2J": 1}),
    "class_names_numbers": rewritten(class_names=[1, None, HUGE]),
    "class_names_lists": rewritten(class_names=[["a"], {"b": 1}]),
    "class_names_many": rewritten(class_names=["x"] * 300_000),
    "tasks_numbers": rewritten(tasks=[1, 2]),
    "tasks_deep": rewritten(tasks=[{"name": [[[1]]], "class_names": {"a": 1}}]),
    "tasks_none": rewritten(tasks=[]),
    "extra_preprocessing": rewritten(extra__preprocessing={"size": HUGE, "mean": "x", "std": [0], "crop": TITLE}),
    "extra_size": rewritten(extra__preprocessing={"size": [10**9, 10**9]}),
    "integers": tensors(lambda value: value.to(torch.int32)),
    "not_finite": tensors(lambda value: value * float("nan")),
    "complex": tensors(lambda value: value.to(torch.complex64)),
    "header_beyond": raw(struct.pack("<Q", 2**50) + b"{}"),
    "header_deep": safetensors(DEEP_JSON.encode()),
    "header_many": safetensors(b"{" + b",".join(b'"k%d":{}' % i for i in range(200_000)) + b"}"),
    "offsets_overlap": safetensors({"a": ONE, "b": ONE}, bytes(8)),
    "offsets_reversed": safetensors({"a": {**ONE, "data_offsets": [8, 0]}}, bytes(8)),
    "shape_negative": safetensors({"a": {**ONE, "shape": [-2]}}, bytes(8)),
    "dtype_unknown": safetensors({"a": {**ONE, "dtype": CLEAR}}, bytes(8)),
    "metadata_numbers": safetensors({"__metadata__": {"mvlpt": 1}, "a": ONE}, bytes(8)),
    "a_pipe": replaced(os.mkfifo),
    "a_device": replaced(lambda path: os.symlink("/dev/zero", path)),
    "a_circle": replaced(lambda path: os.symlink(path.name, path)),
}
READ = (
    "project_negative",
    "tasks_none",
    "extra_precision",
    "extra_size",
    "pretrained_device",
    "ctx_init_long",
)  # or refused


@pytest.mark.parametrize("name", ATTACKS)
def test_prompt_files(name, attack_server, finished_run, tmp_path):
    def make(folder):
        path = folder / "prompt.safetensors"
        path.write_bytes((finished_run / "prompt.safetensors").read_bytes())
        ATTACKS[name](path)
        return ["@prompt", path]

    says = "" if name in READ or name.startswith("method") else "rompt"
    check(attack_server, Attack(name, make, says, (0, 2) if name in READ else 2), tmp_path)
