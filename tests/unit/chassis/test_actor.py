"""Who does something is known under any uid."""

import getpass
import os

import pytest

from chassis.actor import whoever


def test_a_user_is_known_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")

    assert "ann" == whoever()


@pytest.mark.parametrize("error", [OSError, KeyError])
def test_a_user_without_a_name_is_known_by_number(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    """Python up to 3.12 raises the one, later ones the other."""

    def nobody() -> str:
        raise error("no username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nobody)

    assert f"uid {os.getuid()}" == whoever()
