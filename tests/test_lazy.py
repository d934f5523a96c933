"""Packages that import their names when first used."""

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
