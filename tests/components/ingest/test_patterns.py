"""What a pattern means: as for a shell, in a time that does not depend on how it is written."""

import re
import sys

import pytest
from fsspec.utils import glob_translate
from hypothesis import given, settings
from hypothesis import strategies as st

from components.ingest.chosen import ByPattern

PARTS = st.sampled_from(["**", "*", "a", "?", "*a", "[!b]*", "b.png", "*.*", "[a", ".*", ""])
NAMES = st.sampled_from(["a", "b", "ab", "b.png", ".a", "[a", "é\n"])


@settings(max_examples=400, deadline=None)
@given(
    st.lists(PARTS, min_size=1, max_size=5).map("/".join),
    st.lists(NAMES, min_size=1, max_size=5).map("/".join),
)
def test_it_fits_what_fsspec_says(pattern, path):
    expected = re.match(glob_translate(pattern), path) is not None
    assert ByPattern(pattern, pattern).fits(path) == expected


@pytest.mark.parametrize("pattern", ["**/" * 30 + "b/x.png", "**/a/" * 15 + "b/x.png"])
@pytest.mark.parametrize(
    "path", ["a/" * 60 + "x.png", "a/" * 60 + ".a/x.png", ".a/" * 60 + "x.png"]
)
@pytest.mark.parametrize("question", ["is_hidden", "fits"])
def test_work_grows_with_parts_times_parts(pattern, path, question):
    chosen = ByPattern(pattern, pattern)
    calls = 0

    def count(*_):
        nonlocal calls
        calls += 1
        if calls > 30 * 61 * 4:
            raise AssertionError("too much work")

    sys.setprofile(count)
    try:
        getattr(chosen, question)(path)
    finally:
        sys.setprofile(None)


def test_stars_within_a_name_are_tried_once():
    assert not ByPattern("*a" * 30 + "b", "").fits("a" * 250)  # else it would never end
