"""The outside's errors.

OutsideError
└── Refused    the caller's request is wrong; answered as problem+json with the status it carries
"""

from dataclasses import dataclass
from typing import Any


class OutsideError(Exception):
    """Base of everything these servers raise on purpose."""


@dataclass(frozen=True, slots=True)
class WrongValue:
    """One wrong value of a request."""

    field: str
    value: Any
    reason: str


class Refused(OutsideError):
    """A request that is answered with a 4xx and its reasons, and had no effect."""

    def __init__(self, status: int, detail: str, wrong: tuple[WrongValue, ...] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.wrong = wrong
