"""Embeddings and local models whose headers and sizes are absurd."""

import io
import json
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.attacks import Attack, check
from support.hostile_pickles import with_member, zeros_deflated
from support.hostile_texts import DEEP_JSON

import mvlpt

pytestmark = pytest.mark.hostile


def npz(arrays=None, raw=None):
    def make(folder):
        with zipfile.ZipFile(folder / "e.npz", "w") as archive:
            for key, value in (arrays or {}).items():
                archive.writestr(f"{key}.npy", value)
        if raw is not None:
            raw(folder / "e.npz")
        return ["@embedding", folder / "e.npz"]

    return make


def npy(header, data=b""):
    text = header.encode() + b" " * 16 + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", min(len(text), 65535)) + text + data


def header_json(text):
    out = io.BytesIO()
    np.lib.format.write_array(out, np.frombuffer(text.encode(), dtype=np.uint8))
    return out.getvalue()


EMBEDDINGS = [
    Attack("npz_deep", npz({"header": header_json(DEEP_JSON)}), "e.npz"),
    Attack(
        "npz_shape",
        npz({"header": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (9999999999999,), }")}),
        "e.npz",
    ),
    Attack(
        "npz_object",
        npz({"header": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cos\n")}),
        "e.npz",
    ),
    Attack("npz_nested", npz({"header": npy("(" * 60_000)}), "e.npz"),
    Attack("npz_negative", npz({"header": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-5,), }")}), "e.npz"),
    Attack("npz_bomb", npz(raw=lambda path: with_member(path, "header.npy", zeros_deflated(2**31), 2**31)), "e.npz"),
    Attack(
        "npz_noise",
        lambda folder: ((folder / "e.npz").write_bytes(b"PK\3\4" + bytes(99)), ["@embedding", folder / "e.npz"])[1],
        "e.npz",
    ),
]


def backbone(**changes):
    def make(folder):
        model = Path(mvlpt.__file__).parent / "assets" / "model"
        root = folder / "b"
        shutil.copytree(model, root)
        path = root / "open_clip_config.json"
        config = json.loads(path.read_text())
        for key, value in changes.items():
            if key == "raw":
                path.write_text(value)
                return ["@backbone", root]
            section, _, name = key.partition("__")
            config["model_cfg"][section][name] = value
        path.write_text(json.dumps(config))
        return ["@backbone", root]

    return make


BACKBONES = [
    Attack("backbone_deep", backbone(raw=DEEP_JSON), "open_clip_config.json"),
    Attack("backbone_list", backbone(raw="[1]"), "open_clip_config.json"),
    Attack("backbone_width_negative", backbone(vision_cfg__width=-64), "open_clip_config.json"),
    Attack("backbone_width_huge", backbone(vision_cfg__width=2**40), "open_clip_config.json"),
    Attack("backbone_layers_huge", backbone(vision_cfg__layers=10**9), "open_clip_config.json"),
    Attack("backbone_layers_negative", backbone(text_cfg__layers=-1), "open_clip_config.json"),
    Attack("backbone_text", backbone(text_cfg__width="x" * 9000), "open_clip_config.json"),
    Attack("backbone_vocabulary", backbone(text_cfg__vocab_size=10**12), "open_clip_config.json"),
    Attack("backbone_image_size", backbone(vision_cfg__image_size=10**9), "open_clip_config.json"),
    Attack("backbone_hub", backbone(text_cfg__hf_model_name="evil/model"), "", 2),
]

ALL = [*EMBEDDINGS, *BACKBONES]


@pytest.mark.parametrize("attack", ALL, ids=lambda attack: attack.name)
def test_models(attack, attack_server, tmp_path):
    check(attack_server, attack, tmp_path)
