"""Checkpoints that call what torch allows, with sizes of their own, and archives that are packed in odd ways."""

import bz2
import lzma
import struct
import zipfile

import pytest
from support import hostile_pickles as p
from support.attacks import Attack, check

pytestmark = pytest.mark.hostile

GOOD = p.tensor((2, 3), (3, 1), 6)
STORAGE = {"0": bytes(24)}
NEWOBJ = b"\x81"
LARGE = p.number(2**31)


def stored(entry, storages=STORAGE, reader="@checkpoint", name="model.pth.tar", change=None):
    def make(folder):
        path = p.archive(folder / name, p.checkpoint(entry), storages)
        if change is not None:
            change(path)
        return [reader, path]

    return make


def member(name, packed, claimed, method):
    """Adds a member that is packed by another method than torch's."""
    return lambda path: p.with_member(path, name, packed, claimed, method=method)


def without(name):
    """Removes a member, so that another one can take its name."""

    def change(path):
        with zipfile.ZipFile(path) as archive:
            kept = {one: archive.read(one) for one in archive.namelist() if one != name}
        with zipfile.ZipFile(path, "w") as archive:
            for one, raw in kept.items():
                archive.writestr(one, raw)

    return change


def both(*changes):
    def change(path):
        for one in changes:
            one(path)

    return change


def renamed(pickled, name="archive/DATA.PKL"):
    """Torch finds members whatever the case of their names."""

    def make(folder):
        path = p.archive(folder / "model.pth.tar", p.checkpoint(GOOD), STORAGE)
        without("archive/data.pkl")(path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, pickled)
        return ["@checkpoint", path]

    return make


def legacy(pickled, storages=(), tail=b""):
    """A file in the format before torch 1.6."""
    head = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}."
    keys = b"\x80\x02](" + b"".join(map(p.text, storages)) + b"e."

    def make(folder):
        (folder / "model.pth.tar").write_bytes(head + pickled + keys + tail)
        return ["@checkpoint", folder / "model.pth.tar"]

    return make


def twice(path):
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("archive/data.pkl", p.checkpoint(p.called("os", "system", p.text("touch pwned"))))


def patched(offset_of, value):
    """Changes a number in the directory at the end of an archive."""

    def change(path):
        raw = bytearray(path.read_bytes())
        at = raw.rfind(b"PK\5\6") + offset_of
        raw[at : at + 4] = struct.pack("<I", value)
        path.write_bytes(raw)

    return change


ZEROS = bytes(2**20)
BZIP = bz2.compress(ZEROS * 64)
LZMA = (
    b"\x09\x04\x05\x00"
    + lzma.compress(ZEROS * 64, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 2**16}])[:4000]
)
M = "model.pth.tar"
CALLS = [
    Attack("bytearray_called", stored(p.called("builtins", "bytearray", LARGE)), M),
    Attack("bytearray_python2", stored(p.called("__builtin__", "bytearray", LARGE)), status=(0, 2)),
    Attack("storage_called", stored(p.called("torch", "FloatStorage", LARGE)), M),
    Attack("untyped_storage_called", stored(p.called("torch.storage", "UntypedStorage", LARGE)), M),
    Attack("typed_storage_called", stored(p.called("torch.storage", "TypedStorage", LARGE)), M),
    Attack("tensor_called", stored(p.called("torch", "Tensor", LARGE)), M),
    Attack("float_tensor_called", stored(p.called("torch", "FloatTensor", LARGE)), M),
    Attack("cuda_tensor_called", stored(p.called("torch.cuda", "FloatTensor", LARGE)), M),
    Attack("parameter_called", stored(p.called("torch.nn.parameter", "Parameter", p.NONE)), M),
    Attack("storage_made", stored(p.glob("torch", "FloatStorage") + LARGE + p.TUPLE1 + NEWOBJ), M),
    Attack("tensor_made", stored(p.glob("torch", "Tensor") + LARGE + p.TUPLE1 + NEWOBJ), M),
    Attack("counter_of_inert", stored(
        p.called("collections", "Counter", p.EMPTY_DICT) + p.EMPTY_DICT + p.text("items") + p.NONE + p.SETITEM
        + p.BUILD), status=(0, 2)),
    Attack("wrapper_subclass", stored(p.called("torch._utils", "_rebuild_wrapper_subclass", p.EMPTY_TUPLE)), M),
    Attack("meta_tensor", stored(p.called(
        "torch._utils", "_rebuild_meta_tensor_no_storage",
        p.glob("torch", "float32") + p.numbers((2**40,)) + p.numbers((1,)) + b"\x89")), M),
    Attack("from_numpy", stored(p.called(
        "torch._utils", "_rebuild_device_tensor_from_numpy",
        p.text("x") + p.glob("torch", "float32") + p.text("cpu") + b"\x89")), M),
    Attack("typed_of_storage", stored(p.called(
        "torch._tensor", "_rebuild_from_type_v2",
        p.glob("torch", "FloatStorage") + p.glob("torch", "Tensor") + LARGE + p.TUPLE1 + p.NONE)), M),
    Attack("state_of_a_function", stored(p.called(
        "torch._utils", "_rebuild_parameter_with_state",
        p.glob("torch._utils", "_rebuild_tensor_v2") + b"\x89" + p.EMPTY_DICT + p.EMPTY_DICT + p.text("__code__")
        + p.NONE + p.SETITEM)), status=(0, 2)),
    Attack("parameter_state", stored(p.called(
        "torch._utils", "_rebuild_parameter_with_state",
        GOOD + b"\x89" + p.EMPTY_DICT + p.EMPTY_DICT + p.text("isfinite") + p.NONE + p.SETITEM)), status=(0, 2)),
    Attack("size_of_strings", stored(
        p.glob("torch._utils", "_rebuild_tensor_v2") + p.MARK + p.storage("FloatStorage", 6) + p.number(0)
        + p.text("ab") + p.text("cd") + b"\x89" + p.NONE + p.TUPLE + p.REDUCE), M),
    Attack("storage_key_outside", stored(
        p.glob("torch._utils", "_rebuild_tensor_v2") + p.MARK + p.storage("FloatStorage", 6, "../../../etc/passwd")
        + p.number(0) + p.numbers((6,)) + p.numbers((1,)) + b"\x89" + p.NONE + p.TUPLE + p.REDUCE), M),
    Attack("offset_of_many_digits", stored(p.tensor((2,), (1,), 6, offset=10**300)), M),
    Attack("layout", stored(p.called("torch.serialization", "_get_layout", p.text("torch.sparse_coo"))),
           status=(0, 2)),
    Attack("encode_codec", stored(p.called("_codecs", "encode", p.text("x" * 100) + p.text("zlib"))), status=(0, 2)),
    Attack("extension", stored(b"\x84\xff\xff\xff\x7f"), M),
    Attack("class_of_a_name", stored(p.text("os") + p.text("system") + b"\x93" + p.text("touch pwned") + p.TUPLE1
                                     + p.REDUCE), status=(0, 2)),
    Attack("instance", stored(p.MARK + p.text("touch pwned") + b"ios\nsystem\n"), status=(0, 2)),
    Attack("object", stored(p.MARK + p.glob("os", "system") + p.text("touch pwned") + b"o"), status=(0, 2)),
    Attack("persistent_string", stored(b"Ptouch pwned\n"), M),
    Attack("next_buffer", stored(b"\x97"), M),
]  # fmt: skip

LEGACY = [
    Attack("legacy_storages", legacy(p.checkpoint(
        b"".join(p.storage("FloatStorage", 2**28, str(i)) + b"0" for i in range(50)) + p.NONE)), M),
    Attack("legacy_no_keys", legacy(p.checkpoint(p.tensor((2**20,), (1,), 2**20)), ()), M),
    Attack("legacy_keys_of_noise", legacy(p.checkpoint(GOOD), ["\x1b[2J"], bytes(100)), M),
    Attack("legacy_counts_lie", legacy(p.checkpoint(GOOD), ["0"], struct.pack("<Q", 2**62) + bytes(24)), M),
    Attack("tar_of_old_torch", lambda folder: (
        (folder / M).write_bytes(b"storages".ljust(100, b"\0") + b"0000644\0" * 3 + bytes(388)), ["@checkpoint",
                                                                                              folder / M])[1], M),
]  # fmt: skip

PACKED = [
    Attack("bzip_storage", stored(GOOD, {}, change=member("archive/data/0", BZIP, 24, zipfile.ZIP_BZIP2)), M),
    Attack("bzip_pickle", stored(GOOD, change=both(
        without("archive/data.pkl"), member("archive/data.pkl", BZIP, 500, zipfile.ZIP_BZIP2))), M),
    Attack("lzma_pickle", stored(GOOD, change=both(
        without("archive/data.pkl"), member("archive/data.pkl", LZMA, 500, zipfile.ZIP_LZMA))), M),
    Attack("lzma_weights", stored(GOOD, reader="@weights", name="model.bin", change=both(
        without("archive/data.pkl"), member("archive/data.pkl", LZMA, 500, zipfile.ZIP_LZMA))), "model.bin"),
    Attack("deflated_pickle_lies", stored(GOOD, change=both(
        without("archive/data.pkl"), member("archive/data.pkl", p.zeros_deflated(2**28), 300, 8))), M),
    Attack("method_99", stored(GOOD, {}, change=member("archive/data/0", bytes(24), 24, 99)), M),
    Attack("pickle_twice", stored(GOOD, change=twice), status=(0, 2)),
    Attack("pickle_in_capitals", renamed(p.checkpoint(p.called("builtins", "bytearray", LARGE))), M),
    Attack("memo_in_capitals", renamed(p.PROTO + p.EMPTY_DICT + b"r" + struct.pack("<I", 2**28) + p.STOP),
           status=(0, 2)),
    Attack("no_root", renamed(p.checkpoint(p.called("builtins", "bytearray", LARGE)), "data.pkl"), M),
    Attack("directory_beyond", stored(GOOD, change=patched(16, 2**31)), M),
    Attack("directory_size", stored(GOOD, change=patched(12, 2**31)), M),
]  # fmt: skip


@pytest.mark.parametrize("attack", [*CALLS, *LEGACY, *PACKED], ids=lambda attack: attack.name)
def test_pickle_calls(attack, attack_server, tmp_path):
    check(attack_server, attack, tmp_path)
