"""Parts of a list that is too long for one run: consecutive commits play one part each, and together all of it."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def part_of(items: Sequence[Item], part: str) -> tuple[Item, ...]:
    """Those of a part such as 2/3, which is the second, the fifth, and so on. Raises ValueError for a part that is none."""
    number, _, of = part.partition("/")
    if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise ValueError(f'"{part}" is no part: it takes NUMBER/OF, such as 1/2')
    return tuple(items[int(number) - 1 :: int(of)])
