"""Packages that import their names when first used."""

import gc
import subprocess
import sys

import pytest

from mvlpt.lazy import lazy_exports


def test_names_are_imported_when_asked_for():
    get = lazy_exports("mvlpt", {"DataError": "errors"}, {"OldError": "DataError"})
    from mvlpt.errors import DataError

    assert get("DataError") is DataError
    with pytest.warns(DeprecationWarning, match="mvlpt.OldError is now called DataError"):
        assert get("OldError") is DataError
    with pytest.raises(AttributeError, match="'mvlpt' has no attribute 'Nothing'"):
        get("Nothing")


def test_nothing_is_collected_while_a_module_loads(tmp_path, monkeypatch):
    (tmp_path / "loaded_lazily.py").write_text("import gc\nCOLLECTS = gc.isenabled()\n")
    (tmp_path / "lazily_broken.py").write_text("raise OSError('broken')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "lazy_package", type(sys)("lazy_package"))
    sys.modules["lazy_package"].__path__ = [str(tmp_path)]
    get = lazy_exports("lazy_package", {"COLLECTS": "loaded_lazily", "name": "lazily_broken"})
    assert gc.isenabled()
    assert get("COLLECTS") is False
    with pytest.raises(OSError, match="broken"):
        get("name")
    assert gc.isenabled()
    gc.disable()
    try:
        get("COLLECTS")
        assert not gc.isenabled(), "a program that has switched collections off keeps them off"
    finally:
        gc.enable()


def test_a_command_ends_without_looking_through_what_it_loaded():
    code = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0))"
    code += "; from mvlpt.cli import main; main(['--version']); main(['--version'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"
