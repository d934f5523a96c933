"""Pickles from outside: read without running them, and without touching anything but what they build."""

import collections
import pickle
import zipfile
from contextlib import suppress

import numpy as np
import pytest
import torch

from mvlpt.errors import BackboneError, CheckpointError
from mvlpt.io import (
    compare_states,
    inert_pickle,
    not_finite,
    read_script_archive,
    read_tensors,
    strip_wrappers,
    write_tensors,
)

STATE = {"ctx": torch.arange(6.0).view(2, 3)}


def zipped(path, data_pkl):
    """A file as ``torch.save`` makes it, with a pickle of our choice."""
    torch.save({"x": 1}, path)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in content.items():
            archive.writestr(name, data_pkl if name.endswith("data.pkl") else data)


def slot_state(target):
    """A pickle that gives ``module name`` slot state, as ``copyreg`` does, and returns it."""
    return b"\x80\x02c" + target.encode() + b"\n" + b"N}X\x06\x00\x00\x00stolenK\x01s\x86b."


TARGETS = [
    "torch._utils\n_rebuild_tensor_v2",
    "torch._utils\n_rebuild_parameter",
    "torch\nFloatStorage",
    "collections\nOrderedDict",
    "numpy\ndtype",
    "numpy.core.multiarray\nscalar",
    "_codecs\nencode",
    "torch\nfloat32",
]


def reached():
    things = [torch._utils._rebuild_tensor_v2, torch._utils._rebuild_parameter, torch.FloatStorage]
    things += [collections.OrderedDict, np.dtype, torch.float32, torch.Size, inert_pickle.Inert]
    things += [inert_pickle.NumberKind, inert_pickle.read_number, inert_pickle.encode_latin1]
    return [thing for thing in things if hasattr(thing, "stolen")]


@pytest.mark.parametrize("target", TARGETS)
def test_slot_state_reaches_nothing_that_the_file_did_not_make(target):
    inert_pickle.loads(slot_state(target))
    assert reached() == []


@pytest.mark.parametrize("target", TARGETS)
def test_nor_in_a_file_of_torch(tmp_path, target):
    path = tmp_path / "x.pth"
    zipped(path, slot_state(target))
    with suppress(CheckpointError):
        read_tensors(path)
    assert reached() == []


def test_the_guard_is_needed():
    """Python's own unpickler does set attributes that way."""
    victim = type("Victim", (), {})
    victim.__module__, victim.__qualname__ = __name__, "Victim"
    globals()["Victim"] = victim
    pickle.loads(slot_state(f"{__name__}\nVictim"))
    assert victim.stolen == 1
    inert_pickle.loads(slot_state(f"{__name__}\nVictim"))


def test_ordered_dicts_keep_no_method_of_the_files(tmp_path):
    state = Dressed()
    for old in (False, True):
        torch.save({"state_dict": state}, tmp_path / "x.pth", _use_new_zipfile_serialization=not old)
        loaded = read_tensors(tmp_path / "x.pth")["state_dict"]
        assert [key for key, _ in loaded.items()] == ["ctx"]
        assert torch.equal(loaded["ctx"], STATE["ctx"])
        assert vars(loaded) == {"_metadata": {"version": 1}}


class Dressed:
    """Pickled as an ordered dict whose attributes hide its methods."""

    def __reduce__(self):
        return collections.OrderedDict, (list(STATE.items()),), {"items": "not a method", "_metadata": {"version": 1}}


class Builds:
    """An object of a foreign class with every kind of content that pickle knows."""

    def __init__(self):
        self.numbers = np.float64(2.5)


class Grows(list):
    pass


def test_foreign_objects_become_inert_and_numbers_stay(tmp_path):
    content = {
        "state_dict": STATE,
        "scheduler": Builds(),
        "list": Grows([1, 2]),
        "result": np.float32(0.25),
        "flag": np.bool_(True),
        "half": np.float16(1.5),
        "default": collections.defaultdict(list, a=[1]),
        "kind": torch.float16,
    }
    for old in (False, True):
        path = tmp_path / "x.pth"
        torch.save(content, path, _use_new_zipfile_serialization=not old)
        loaded = read_tensors(path)
        assert type(loaded["scheduler"]).__name__ == "Inert"
        assert (loaded["result"], loaded["flag"], loaded["half"]) == (0.25, True, 1.5)
        assert loaded["kind"] is torch.float16
        assert torch.equal(loaded["state_dict"]["ctx"], STATE["ctx"])


def test_what_is_written_loads_with_weights_only(tmp_path):
    write_tensors({"a": torch.ones(2)}, tmp_path / "x")
    assert torch.equal(torch.load(tmp_path / "x", weights_only=True)["a"], torch.ones(2))
    with pytest.raises(BackboneError, match="No checkpoint at"):
        read_tensors(tmp_path / "none", error=BackboneError)


def test_every_byte_of_a_file_may_be_wrong(tmp_path):
    """Whatever one byte of a small file becomes, the answer is a value or one sentence."""
    path = tmp_path / "x.pth"
    torch.save({"state_dict": {"a": torch.ones(1)}}, path, _use_new_zipfile_serialization=False)
    good = path.read_bytes()
    generator = np.random.default_rng(0)
    for place in range(0, len(good), max(1, len(good) // 150)):
        bad = bytearray(good)
        bad[place] = int(generator.integers(256))
        path.write_bytes(bad)
        with suppress(CheckpointError):
            read_tensors(path)


def test_an_archive_that_asks_for_more_is_refused(tmp_path):
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.")
        archive.writestr("m/code/x.py", "")
    with pytest.raises(BackboneError, match=r"'posix.system', which is refused"):
        read_script_archive(path)


def test_states_are_compared_by_name_and_shape():
    own = {"a": torch.zeros(2), "b": torch.zeros(3), "c": torch.zeros(1, 2)}
    assert not compare_states(own, dict(own))
    found = compare_states(own, {"a": torch.zeros(2), "c": torch.zeros(2), "d": torch.zeros(1)})
    assert (found.missing, found.unknown, dict(found.shapes)) == (("b",), ("d",), {"c": ((2,), (1, 2))})
    assert str(found) == "it lacks b; it holds d, which is unknown here; c is (2,) and not (1, 2)"
    many = compare_states({f"k{i}": torch.zeros(1) for i in range(9)}, {})
    assert str(many) == "it lacks k0, k1, k2, k3, k4, k5 and 3 more"
    state = {"a": torch.tensor([1.0, float("inf")]), "b": torch.tensor([1]), "c": torch.tensor([float("nan")])}
    assert not_finite(state) == ["a", "c"]
    assert not_finite({"both": torch.tensor([float("inf"), -float("inf")]), "empty": torch.zeros(0)}) == ["both"]


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.half, torch.bfloat16, torch.float32])
def test_values_whose_sum_overflows_are_finite(dtype):
    largest = torch.full((8,), torch.finfo(dtype).max).to(dtype)
    assert not_finite({"large": largest, "broken": torch.tensor([1.0, float("nan")]).to(dtype)}) == ["broken"]


@pytest.mark.parametrize(
    "prefix",
    ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "_fsdp_wrapped_module._orig_mod.module."],
)
def test_prefixes_of_wrappers_are_stripped_in_any_combination(prefix):
    state = {f"{prefix}a.weight": 1, f"{prefix}blocks.0._orig_mod.b": 2, f"{prefix}blocks.module.c": 3}
    assert strip_wrappers(state) == {"a.weight": 1, "blocks.0.b": 2, "blocks.module.c": 3}


def test_names_that_a_model_itself_has_are_kept_and_two_of_one_name_refused():
    assert strip_wrappers({"module.a": 1, "module.b": 2}, {"module.a"}) == {"module.a": 1, "b": 2}
    with pytest.raises(CheckpointError, match=r"x.pth holds 'a' twice, with and without a wrapper's prefix"):
        strip_wrappers({"module.a": 1, "_orig_mod.a": 2}, source="x.pth")


def test_states_that_wrapped_modules_save_load_into_bare_ones():
    bare = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    compiled = torch.compile(torch.nn.DataParallel(torch.nn.Sequential(torch.compile(bare[0]), bare[1])))
    assert set(compiled.state_dict()) != set(bare.state_dict())
    assert set(strip_wrappers(compiled.state_dict())) == set(bare.state_dict())
