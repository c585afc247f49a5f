"""The parts of a list are the list."""

import pytest

from parts import part_of

NAMES = ("a", "b", "c", "d", "e")


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_each_is_in_one_part(of: int) -> None:
    parts = [part_of(NAMES, f"{number}/{of}") for number in range(1, of + 1)]

    assert sorted(NAMES) == sorted(name for part in parts for name in part)
    assert 1 >= max(map(len, parts)) - min(map(len, parts))


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "1/", "/2", "one/2", "-1/2", ""])
def test_a_part_that_is_none_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match=f'"{part}" is no part: it takes NUMBER/OF'):
        part_of(NAMES, part)
