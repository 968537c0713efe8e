"""The golden-folder check sees every kind of difference and can rewrite what it compares with."""

from __future__ import annotations

import pytest
from support import golden


def test_a_folder_that_was_updated_matches(tmp_path):
    files = {"a/b.yaml": "x: 1\n", "run.sh": "#!/bin/sh\r\n"}
    golden.check(tmp_path / "g", files, update=True)
    golden.check(tmp_path / "g", files, update=False)


def test_updating_removes_what_is_no_longer_emitted(tmp_path):
    golden.check(tmp_path / "g", {"old": "1\n"}, update=True)
    golden.check(tmp_path / "g", {"new": "1\n"}, update=True)
    assert golden.read(tmp_path / "g") == {"new": "1\n"}


@pytest.mark.parametrize(
    ("actual", "said"),
    [
        ({"f": "1\n3\n"}, "-2\n+3"),
        ({"f": "1\n2"}, "No newline at end of file"),
        ({}, "+++ /dev/null"),
        ({"f": "1\n2\n", "g": "4\n"}, "+++ emitted/g"),
    ],
)
def test_a_difference_is_shown_with_its_remedy(tmp_path, actual, said):
    golden.check(tmp_path / "g", {"f": "1\n2\n"}, update=True)
    with pytest.raises(AssertionError) as failure:
        golden.check(tmp_path / "g", actual, update=False)
    assert said in str(failure.value)
    assert "make goldens" in str(failure.value)
