"""Whether a database needs any of a service's migrations, by what the scripts say of themselves."""

from pathlib import Path

import pytest

from chassis.errors import BadSetting
from chassis.migrate import scripts_of
from chassis.revisions import is_settled

FIRST = 'revision = "a"\ndown_revision = None\n'
SECOND = 'revision: str = "b"\ndown_revision: str | None = "a"\n'
ASIDE = 'revision = "c"\ndown_revision = "a"\n'
JOINED = 'revision = "d"\ndown_revision = ("b", "c")\n'
COMPUTED = 'revision = "b"\ndown_revision = "".join(["a"])\n'


def folder(path: Path, *scripts: str) -> Path:
    (path / "versions").mkdir()
    for number, text in enumerate(scripts):
        (path / "versions" / f"{number}.py").write_text(text)
    return path


@pytest.mark.parametrize(
    ("scripts", "current", "settled"),
    [
        pytest.param((FIRST, SECOND), [], False, id="an empty database"),
        pytest.param((FIRST, SECOND), ["a"], False, id="behind"),
        pytest.param((FIRST, SECOND), ["b"], True, id="at the newest"),
        pytest.param((FIRST, SECOND), ["z"], True, id="ahead"),
        pytest.param((FIRST, SECOND, ASIDE), ["b"], False, id="one branch of two"),
        pytest.param((FIRST, SECOND, ASIDE), ["c", "b"], True, id="both branches"),
        pytest.param((FIRST, SECOND, ASIDE, JOINED), ["c", "b"], False, id="branches that are to be joined"),
        pytest.param((FIRST, SECOND, ASIDE, JOINED), ["d"], True, id="joined"),
        pytest.param((FIRST, COMPUTED), ["b"], False, id="what cannot be read is left to Alembic"),
        pytest.param((), [], True, id="no scripts, no revision"),
    ],
)
def test_a_database_is_settled_at_the_newest_revisions_and_ahead_of_them(
    tmp_path: Path, scripts: tuple[str, ...], current: list[str], settled: bool
) -> None:
    assert settled is is_settled(current, folder(tmp_path, *scripts))


@pytest.mark.parametrize("text", ["down_revision = None", "revision = str(1)", "revision = 1"])
def test_a_script_that_does_not_say_its_revision_is_refused_by_its_path(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSetting, match=r"versions/0\.py must say which it is"):
        is_settled([], folder(tmp_path, text))


def test_a_service_without_a_folder_of_migrations_is_not_taken_for_one_that_needs_none(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"adapters/migrations/versions is no folder"):
        is_settled([], tmp_path / "shop" / "adapters" / "migrations")


@pytest.mark.parametrize("app", ["nowhere.app", "orders.nowhere", "orders.nowhere.app"])
def test_a_service_that_is_not_there_is_refused_by_its_name(app: str) -> None:
    with pytest.raises(BadSetting, match=f"there is no module {app}"):
        scripts_of(app)
