"""Files: written whole or not at all, locked, read within bounds, and shown without surprises.

The names are imported when they are first used, so that a tool which reads JSON loads neither torch nor YAML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.io.array_files import map_array, read_array_header
    from mvlpt.io.csv_files import csv_text, parse_csv
    from mvlpt.io.display import (
        clean_text,
        counted,
        first_line,
        json_text,
        listed,
        rich_text,
        sentence,
        short_repr,
        spreadsheet_cell,
    )
    from mvlpt.io.files import (
        append_descriptor,
        atomic_write,
        check_encoding,
        check_not_linked,
        open_to_append,
        sweep_leftovers,
        write_file,
        write_json,
    )
    from mvlpt.io.gzip_files import read_gzip
    from mvlpt.io.json_files import parse_json, read_json, read_json_lines
    from mvlpt.io.json_stream import JsonStream
    from mvlpt.io.kept_files import is_edited, mark_as_written, replacing_edited, write_unless_edited
    from mvlpt.io.limits import LIMITS, limit
    from mvlpt.io.locks import LockHeldError, LocksUnsupportedError, file_lock, is_locked
    from mvlpt.io.matlab_files import read_matlab
    from mvlpt.io.names import file_name, is_possible_path, path_part
    from mvlpt.io.pickle_files import PickledObject, read_pickle
    from mvlpt.io.reading import check_regular, decode_text, file_digest, open_regular, read_bytes, read_text
    from mvlpt.io.records import check_head, take_field
    from mvlpt.io.script_archive import is_script_archive, read_script_archive
    from mvlpt.io.state_dicts import StateDifferences, compare_states, not_finite, strip_wrappers
    from mvlpt.io.tensor_files import SafeTensors, open_tensors
    from mvlpt.io.torch_files import read_tensors, write_tensors
    from mvlpt.io.xml_files import read_xml
    from mvlpt.io.yaml_files import parse_yaml, read_yaml
    from mvlpt.io.zip_files import is_regular_entry, open_entry, open_zip, read_zip_entry

_HOMES = {
    "array_files": ("map_array", "read_array_header"),
    "csv_files": ("csv_text", "parse_csv"),
    "display": (
        "clean_text",
        "counted",
        "first_line",
        "json_text",
        "listed",
        "rich_text",
        "sentence",
        "short_repr",
        "spreadsheet_cell",
    ),
    "files": (
        "append_descriptor",
        "atomic_write",
        "check_encoding",
        "check_not_linked",
        "open_to_append",
        "sweep_leftovers",
        "write_file",
        "write_json",
    ),
    "gzip_files": ("read_gzip",),
    "json_files": ("parse_json", "read_json", "read_json_lines"),
    "json_stream": ("JsonStream",),
    "kept_files": ("is_edited", "mark_as_written", "replacing_edited", "write_unless_edited"),
    "limits": ("LIMITS", "limit"),
    "locks": ("LockHeldError", "LocksUnsupportedError", "file_lock", "is_locked"),
    "matlab_files": ("read_matlab",),
    "names": ("file_name", "is_possible_path", "path_part"),
    "pickle_files": ("PickledObject", "read_pickle"),
    "reading": ("check_regular", "decode_text", "file_digest", "open_regular", "read_bytes", "read_text"),
    "records": ("check_head", "take_field"),
    "script_archive": ("is_script_archive", "read_script_archive"),
    "state_dicts": ("StateDifferences", "compare_states", "not_finite", "strip_wrappers"),
    "tensor_files": ("SafeTensors", "open_tensors"),
    "torch_files": ("read_tensors", "write_tensors"),
    "xml_files": ("read_xml",),
    "yaml_files": ("parse_yaml", "read_yaml"),
    "zip_files": ("is_regular_entry", "open_entry", "open_zip", "read_zip_entry"),
}

__all__ = [
    "LIMITS",
    "JsonStream",
    "LockHeldError",
    "LocksUnsupportedError",
    "PickledObject",
    "SafeTensors",
    "StateDifferences",
    "append_descriptor",
    "atomic_write",
    "check_encoding",
    "check_head",
    "check_not_linked",
    "check_regular",
    "clean_text",
    "compare_states",
    "counted",
    "csv_text",
    "decode_text",
    "file_digest",
    "file_lock",
    "file_name",
    "first_line",
    "is_edited",
    "is_locked",
    "is_possible_path",
    "is_regular_entry",
    "is_script_archive",
    "json_text",
    "limit",
    "listed",
    "map_array",
    "mark_as_written",
    "not_finite",
    "open_entry",
    "open_regular",
    "open_tensors",
    "open_to_append",
    "open_zip",
    "parse_csv",
    "parse_json",
    "parse_yaml",
    "path_part",
    "read_array_header",
    "read_bytes",
    "read_gzip",
    "read_json",
    "read_json_lines",
    "read_matlab",
    "read_pickle",
    "read_script_archive",
    "read_tensors",
    "read_text",
    "read_xml",
    "read_yaml",
    "read_zip_entry",
    "replacing_edited",
    "rich_text",
    "sentence",
    "short_repr",
    "spreadsheet_cell",
    "strip_wrappers",
    "sweep_leftovers",
    "take_field",
    "write_file",
    "write_json",
    "write_tensors",
    "write_unless_edited",
]

__getattr__ = lazy_exports(__name__, {name: module for module, names in _HOMES.items() for name in names})
