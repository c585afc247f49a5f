"""A test of the grader sees the machine as it says itself."""

from collections import deque

import pytest

from grader import measuring


@pytest.fixture(autouse=True)
def looked_at_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What gradings of other tests saw of the machine is not this test's."""
    monkeypatch.setattr(measuring, "_looked", deque(maxlen=measuring.LOOKS))
