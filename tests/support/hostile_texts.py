"""Hostile JSON, YAML and names."""

from __future__ import annotations

TITLE = "\x1b]0;pwned\x07"
CLEAR = "\x1b[2J\x9b1m"
DEEP_JSON = "[" * 100_000 + "]" * 100_000
DEEP_OBJECT = '{"a":' * 20_000 + "1" + "}" * 20_000
DIGITS = "1" * 5000

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

YAML = {
    "laughs": LAUGHS,
    "laughs_in_maps": "a: &a {x: 1, y: 2}\n" + "".join(
        f"{new}: &{new} {{{', '.join(f'k{i}: *{old}' for i in range(12))}}}\n"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ),
    "merge_laughs": "a: &a {x: 1}\nb:\n" + "".join(f"  - &m{i} {{<<: [*a, *a], k{i}: 1}}\n" for i in range(5))
    + "b: 2\n",
    "deep": "[" * 50_000,
    "deep_blocks": "".join(" " * i + "a:\n" for i in range(900)),
    "twice": "name: a\nname: b\n",
    "digits": f"name: {DIGITS}\n",
    "date": "name: 2001-99-99\n",
    "int_tag": "name: !!int abc\n",
    "float_tag": "name: !!float abc\n",
    "timestamp_tag": "name: !!timestamp 99\n",
    "binary_tag": "name: !!binary ÄÖ\n",
    "python_tag": "!!python/object/apply:os.system ['touch pwned']\n",
    "python_name": "name: !!python/name:os.system\n",
    "recursive": "a: &a [*a]\n",
    "controls": "a: \x1b[2J\n",
    "undefined_alias": f"a: *{'b' * 3000}\n",
    "sexagesimal": "a: " + ":".join(["59"] * 3000) + ":\nb",
    "set": "!!set {a, [b]}\n",
    "omap": "!!omap [a, b]\n",
    "pairs": "!!pairs [a]\n",
    "unhashable": "{[a]: {b: c}}: d\n",
    "tabs": "a:\n\t- b\n",
    "documents": "a: 1\n---\nb: 2\n",
    "long_key": "? " + "k" * 5000 + "\n: 1\n? " + "k" * 5000 + "\n: 2\n",
}  # fmt: skip

JSON = {
    "deep": DEEP_JSON,
    "deep_object": DEEP_OBJECT,
    "deep_open": "[" * 1_000_000,
    "digits": DIGITS,
    "cut": '{"a": [1, 2',
    "not_utf8": b'{"a": "\xff\xfe"}',
    "nul": b'{"a": "\0"}',
    "controls": '{"a": "\x1b[2J"}',
    "empty": "",
    "word": TITLE + CLEAR,
}
