"""Checkpoints and weight files that run code, change the process, or ask for far more memory than they are long."""

import struct
from pathlib import Path

import pytest
from support import hostile_pickles as p
from support.attacks import Attack, check

pytestmark = pytest.mark.hostile

REBUILD = p.glob("torch._utils", "_rebuild_tensor_v2")
GOOD = p.tensor((2, 3), (3, 1), 6)
STORAGE = {"0": bytes(24)}


def stored(pickled, storages=STORAGE, *, reader="@checkpoint", name="model.pth.tar", **options):
    """An attack's files: one archive, read by a reader."""

    def make(folder):
        return [reader, p.archive(folder / name, pickled, storages, **options)]

    return make


def plain(raw, reader="@checkpoint", name="model.pth.tar"):
    def make(folder):
        (folder / name).write_bytes(raw)
        return [reader, folder / name]

    return make


def deflated(name, script=False, reader="@checkpoint"):
    """Four MB of deflated zeros that are a storage of 2 GiB."""

    def make(folder):
        count = 2**29
        one = p.tensor((count,), (1,), count)
        top = p.PROTO + p.glob("__torch__", "Model") + p.EMPTY_TUPLE + p.REDUCE
        top += p.EMPTY_DICT + p.text("w") + one + p.SETITEM + p.BUILD + p.STOP
        path = p.archive(folder / name, top if script else p.checkpoint(one), {}, script=script)
        return [reader, p.with_member(path, "archive/data/0", p.zeros_deflated(2**31), 2**31)]

    return make


def scripted(entry, storages=STORAGE):
    """A TorchScript archive whose only module has the entry as its weight."""
    top = p.PROTO + p.glob("__torch__", "Model") + p.EMPTY_TUPLE + p.REDUCE
    return stored(top + p.EMPTY_DICT + p.text("w") + entry + p.SETITEM + p.BUILD + p.STOP, storages,
                  reader="@weights", name="model.pt", script=True)  # fmt: skip


def slot_state(target, name, value=p.NONE):
    """Sets an attribute on a global: BUILD with a state of slots."""
    return target + p.NONE + p.EMPTY_DICT + p.text(name) + value + p.SETITEM + p.TUPLE2 + p.BUILD


def dict_state(target, name, value):
    return target + p.EMPTY_DICT + p.text(name) + value + p.SETITEM + p.BUILD


INERT = p.glob("somewhere", "Inert") + p.EMPTY_TUPLE + p.REDUCE
HARMLESS = (0, 2)  # what it asks for is not done, whether the rest is read or refused

CODE = [
    Attack("os_system", stored(p.checkpoint(p.called("os", "system", p.text("touch pwned")))), status=HARMLESS),
    Attack("posix_system_legacy", plain(p.PROTO + p.called("posix", "system", p.text("touch pwned")) + p.STOP)),
    Attack("eval", stored(p.checkpoint(p.called("builtins", "eval", p.text("open('pwned','w')")))), status=HARMLESS),
    Attack("getattr", stored(p.checkpoint(p.called("builtins", "getattr", REBUILD + p.text("__globals__")))),
           status=HARMLESS),
    Attack("torch_hub", stored(p.checkpoint(p.called("torch.hub", "load", p.text("a/b") + p.text("c")))),
           status=HARMLESS),
    Attack("torch_load", stored(p.checkpoint(p.called("torch", "load", p.text("/dev/zero")))), status=HARMLESS),
    Attack("numpy_load", stored(p.checkpoint(p.called("numpy", "load", p.text("/dev/zero")))), status=HARMLESS),
    Attack("code_in_weights", stored(p.checkpoint(p.called("os", "system", p.text("touch pwned"))),
                                     reader="@weights", name="model.bin"), "model.bin"),
    Attack("code_in_script", scripted(p.called("os", "system", p.text("touch pwned"))), "model.pt"),
]  # fmt: skip

STATE = [
    Attack("code_of_rebuild", stored(p.checkpoint(slot_state(REBUILD, "__code__"))), status=HARMLESS),
    Attack("defaults_of_rebuild", stored(p.checkpoint(slot_state(REBUILD, "__defaults__", p.EMPTY_TUPLE))),
           status=HARMLESS),
    Attack("code_of_rebuild_legacy", plain(p.PROTO + slot_state(REBUILD, "__code__") + p.STOP), status=HARMLESS),
    Attack("dict_of_rebuild", stored(p.checkpoint(dict_state(REBUILD, "__wrapped__", p.TRUE))), status=HARMLESS),
    Attack("items_of_ordered_dict", stored(p.checkpoint(
        dict_state(p.glob("collections", "OrderedDict") + p.EMPTY_TUPLE + p.REDUCE, "items", INERT))),
           status=HARMLESS),
    Attack("class_of_ordered_dict", stored(p.checkpoint(
        slot_state(p.glob("collections", "OrderedDict"), "items", INERT))), status=HARMLESS),
    Attack("class_of_size", stored(p.checkpoint(slot_state(p.glob("torch", "Size"), "numel", INERT))),
           status=HARMLESS),
    Attack("tensor_attribute", stored(p.checkpoint(dict_state(GOOD, "isfinite", INERT))), status=HARMLESS),
    Attack("script_slot_state", scripted(slot_state(REBUILD, "__code__")), status=HARMLESS),
]  # fmt: skip

MEMO = b"r" + struct.pack("<I", 2**28)
MEMORY = [
    Attack("memo_index", stored(p.PROTO + p.EMPTY_DICT + MEMO + p.STOP), status=HARMLESS),
    Attack("memo_index_legacy", plain(p.PROTO + p.EMPTY_DICT + MEMO + p.STOP)),
    Attack("memo_index_script", stored(p.PROTO + p.EMPTY_DICT + MEMO + p.STOP, reader="@weights", name="model.pt",
                                       script=True), "model.pt"),
    Attack("stride_zero", stored(p.checkpoint(p.tensor((2 * 10**9,), (0,), 1)), {"0": bytes(4)}), "model.pth.tar"),
    Attack("stride_zero_matrix", stored(p.checkpoint(p.tensor((2**16, 2**16), (1, 0), 2**16)),
                                        {"0": bytes(2**18)}), "model.pth.tar"),
    Attack("stride_zero_script", scripted(p.tensor((2 * 10**9,), (0,), 1), {"0": bytes(4)}), "model.pt"),
    Attack("stride_overlapping", stored(p.checkpoint(p.tensor((30_000, 30_000), (1, 1), 60_000)),
                                        {"0": bytes(240_000)}), "model.pth.tar"),
    Attack("stride_negative", stored(p.checkpoint(p.tensor((2, 3), (-3, 1), 6))), "model.pth.tar"),
    Attack("beyond_storage", stored(p.checkpoint(p.tensor((10**6,), (1,), 6))), "model.pth.tar"),
    Attack("beyond_storage_script", scripted(p.tensor((10**6,), (1,), 6)), "model.pt"),
    Attack("offset_negative", stored(p.checkpoint(p.tensor((2,), (1,), 6, offset=-4))), "model.pth.tar"),
    Attack("size_overflows", stored(p.checkpoint(p.tensor((2**62, 8), (8, 1), 6))), "model.pth.tar"),
    Attack("size_of_many_digits", stored(p.checkpoint(p.tensor((10**400,), (1,), 6))), "model.pth.tar"),
    Attack("storage_claims_more", stored(p.checkpoint(p.tensor((2,), (1,), 2**40))), "model.pth.tar"),
    Attack("storage_negative", stored(p.checkpoint(p.tensor((2,), (1,), -6))), "model.pth.tar"),
    Attack("storage_absent", stored(p.checkpoint(GOOD), {}), "model.pth.tar"),
    Attack("storage_of_strings", stored(p.checkpoint(p.tensor((2,), (1,), 6, kind="save"))), "model.pth.tar"),
    Attack("deflated_storage", deflated("model.pth.tar"), "model.pth.tar"),
    Attack("deflated_weights", deflated("model.bin", reader="@weights"), "model.bin"),
    Attack("deflated_script", deflated("model.pt", script=True, reader="@weights"), "model.pt"),
    Attack("bytearray", plain(b"\x80\x05\x96" + struct.pack("<Q", 2**33) + p.STOP), "model.pth.tar"),
    Attack("bytes_cut_short", plain(b"\x80\x05\x8e" + struct.pack("<Q", 2**40) + p.STOP), "model.pth.tar"),
    Attack("string_cut_short", plain(b"\x80\x05\x8d" + struct.pack("<Q", 2**62) + p.STOP), "model.pth.tar"),
    Attack("frame", plain(b"\x80\x05\x95" + struct.pack("<Q", 2**61) + p.EMPTY_DICT + p.STOP), "model.pth.tar"),
    Attack("integer_cut_short", plain(b"\x80\x02\x8b\xff\xff\xff\x7f\1" + p.STOP), "model.pth.tar"),
    Attack("integer_negative", plain(b"\x80\x02\x8b" + struct.pack("<i", -5) + p.STOP), "model.pth.tar"),
    Attack("legacy_storage", plain(
        b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.\x80\x02"
        + p.glob("torch._utils", "_rebuild_tensor_v2") + p.MARK + p.MARK + p.text("storage")
        + p.glob("torch", "FloatStorage") + p.text("0") + p.text("cpu") + p.number(2**30) + p.NONE + p.TUPLE
        + p.PERSISTENT + p.number(0) + p.numbers((2**30,)) + p.numbers((1,)) + b"\x89" + p.EMPTY_DICT + p.TUPLE
        + p.REDUCE + b".\x80\x02](X\1\0\0\x000e."), "model.pth.tar"),
]  # fmt: skip

ODD = [
    Attack("empty", plain(b""), "model.pth.tar"),
    Attack("stack_empty", plain(p.PROTO + b"0000" + p.STOP), "model.pth.tar"),
    Attack("no_stop", plain(p.PROTO + p.EMPTY_DICT), "model.pth.tar"),
    Attack("unknown_instruction", plain(p.PROTO + b"\xfe" + p.STOP), "model.pth.tar"),
    Attack("protocol_77", plain(b"\x80\x4d" + p.EMPTY_DICT + p.STOP), "model.pth.tar"),
    Attack("nested_100000", stored(p.PROTO + p.EMPTY_TUPLE + p.TUPLE1 * 100_000 + p.STOP), status=HARMLESS),
    Attack("contains_itself", stored(p.PROTO + b"]q\0h\0a" + p.STOP), status=HARMLESS),
    Attack("text_of_html", plain(b"<!DOCTYPE html><html><body>404</body></html>"), "model.pth.tar"),
    Attack("zip_without_pickle", lambda folder: ["@checkpoint", p.archive(folder / "model.pth.tar", b"")],
           "model.pth.tar"),
    Attack("controls_in_a_class", stored(p.PROTO + p.glob("\x1b]0;x\x07", "\x1b[2J") + p.STOP,
                                         reader="@weights", name="model.bin"), "model.bin"),
    Attack("controls_in_a_module", scripted(p.called("\x1b]0;x\x07", "\x1b[2J", p.NONE)), "model.pt"),
    Attack("safetensors_of_noise", plain(bytes(range(256)), "@weights", "model.safetensors"), "model.safetensors"),
    Attack("safetensors_header", plain(struct.pack("<Q", 2**40) + b"{}", "@weights", "model.safetensors"),
           "model.safetensors"),
    Attack("safetensors_controls", plain(struct.pack("<Q", 20) + b'{"\x1b[2J":"\x00\x9b"} ', "@weights",
                                         "model.safetensors"), "model.safetensors"),
]  # fmt: skip


@pytest.mark.parametrize("attack", [*CODE, *STATE, *MEMORY, *ODD], ids=lambda attack: attack.name)
def test_checkpoints_and_weights(attack, attack_server, tmp_path):
    check(attack_server, attack, tmp_path)


KEYS = {"stranger": "\x1b]0;pwned\x07\x1b[2J", "long": "x" * 10_000, "markup": "[/b][red]"}
TENSORS = {
    "not_a_tensor": p.checkpoint(p.text("weights")),
    "inert": p.checkpoint(INERT),
    "stride_zero": p.checkpoint(p.tensor((2 * 10**9,), (0,), 6)),
    "integers": p.checkpoint(p.tensor((1, 3), (3, 1), 3, kind="LongStorage")),
    "epoch_of_many_digits": p.checkpoint(GOOD)[:-1] + p.text("epoch") + p.number(10**300) + p.SETITEM + p.STOP,
    "epoch_none": p.checkpoint(GOOD)[:-1] + p.text("epoch") + p.NONE + p.SETITEM + p.STOP,
    "no_state_dict": p.PROTO + p.EMPTY_DICT + p.STOP,
    "a_list": p.PROTO + b"]" + p.STOP,
    "sparse": p.checkpoint(p.called(
        "torch._utils", "_rebuild_sparse_tensor",
        p.glob("torch", "sparse_coo") + p.MARK + p.tensor((1, 1), (1, 1), 6, kind="LongStorage")
        + p.tensor((1,), (1,), 6) + p.numbers((10**15,)) + p.TUPLE)),
    "state_dict_of_numbers": p.PROTO + p.EMPTY_DICT + p.text("state_dict") + p.EMPTY_DICT + p.number(10**400)
    + GOOD + p.SETITEM + p.SETITEM + p.STOP,
}  # fmt: skip


@pytest.mark.parametrize("name", TENSORS)
def test_prompts_through_the_commands(name, attack_server, spoiled_run, tmp_path):
    def make(folder: Path):
        path = folder / "run" / "prompt_learner" / "model.pth.tar-1"
        p.archive(path, TENSORS[name], {"0": bytes(24)})
        return ["average", "run", "--output-dir", "out"]

    check(attack_server, Attack(name, make, "model.pth.tar-1"), tmp_path)


@pytest.mark.parametrize("name", KEYS)
def test_names_of_tensors_through_train(name, attack_server, spoiled_run, tmp_path):
    def make(folder: Path):
        p.archive(folder / "run/prompt_learner/model.pth.tar-1", p.checkpoint(GOOD, KEYS[name]), {"0": bytes(24)})
        return [
            "train", "--config-file", "configs/trainers/MVLPT-CoOp/embedded.yaml", "--dataset", "weather-plain",
            "--shots", 1, "--seed", 1, "--quiet", "--model-dir", "run", "--eval-only", "--output-dir", "out",
        ]  # fmt: skip

    check(attack_server, Attack(name, make, "model.pth.tar-1"), tmp_path)
