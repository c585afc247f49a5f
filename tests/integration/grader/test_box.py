"""Learner code in a box gets at nothing but its lab, uses no more than it may, and ends with the grader; as root or not."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from hostile_programs import PROGRAMS, SMALL

from grader.adapters import confining
from grader.adapters.box import Box, Job, Unconfined, basic_environment
from grader.adapters.bubblewrap import Bubblewrap
from grader.errors import Unable
from servers import wait_until

HERE = Path(__file__).parent
NOBODY = "65534"
ROOT = os.geteuid() == 0
MODES = ["root", "user"] if ROOT else ["user"]


def as_ordinary(*argv: str) -> list[str]:
    """A command that runs these words as an ordinary user.

    The interpreter and what lies in the checkout are shown to it where a folder of root's, such as the checkout itself, hides them.
    """
    if not ROOT:
        return list(argv)
    in_checkout = [
        one for one in HERE.parents[2].iterdir() if one.is_dir() and not Path(sys.prefix).is_relative_to(one)
    ]
    folders = [Path(sys.prefix), Path(sys.base_prefix), *in_checkout]
    hidden = dict.fromkeys(
        above for folder in folders for above in reversed(folder.parents) if not above.stat().st_mode & 1
    )
    shown = []
    for one in hidden:
        shown += ["--perms", "0755", "--tmpfs", str(one)]
        for folder in folders:
            if folder.is_relative_to(one):
                above = [part for part in reversed(folder.parents) if part.is_relative_to(one) and part != one]
                shown += [word for part in above for word in ("--perms", "0755", "--dir", str(part))]
                shown += ["--bind", str(folder), str(folder)]
    bwrap = str(next(confining.programs()))
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
    return [bwrap, "--dev-bind", "/", "/", *shown, "--", *user, *argv]


def command(mode: str, *argv: str) -> list[str]:
    words = [sys.executable, *argv]
    return as_ordinary(*words) if mode == "user" else words


@pytest.fixture(scope="module", params=MODES)
def ended(request: pytest.FixtureRequest) -> dict[str, Any]:
    """How all programs ended, played by a process of that user."""
    run = subprocess.run(
        command(request.param, str(HERE / "hostile_programs.py"), request.param),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.stdout, run.stderr
    said = json.loads(run.stdout)
    assert (said["euid"] == 0) == (request.param == "root")
    ended: dict[str, Any] = said["ended"]
    return ended


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_hostile_program_gets_nowhere(ended: dict[str, Any], name: str) -> None:
    expected, got = PROGRAMS[name], ended[name]

    assert list(expected.lines) == got["begin"].splitlines()[: len(expected.lines)], got
    assert expected.says in got["end"]
    assert [] == got["left"]
    if expected.status is not None:
        assert expected.status == got["status"], got
    assert got["size"] <= SMALL.file_bytes + 1000


def test_no_datagram_comes_out(ended: dict[str, Any]) -> None:
    assert 0 == ended["udp"]["arrived"]


def test_a_busy_job_is_ended(ended: dict[str, Any]) -> None:
    assert ended["busy-core"]["status"] in (-signal.SIGKILL, -signal.SIGXCPU)


GRADER = """\
import os, sys, time
from pathlib import Path
from grader.adapters import confining
from grader.adapters.box import Job, basic_environment
from grader.adapters.bubblewrap import Bubblewrap
folder, mode, code = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
(folder / "workspace").mkdir()
box = Bubblewrap(next(confining.programs()), as_root=mode == "root")
job = Job([sys.executable, "-c", code, sys.argv[1]], folder / "workspace", folder / "output", basic_environment(folder))
print(os.getpid(), box.run(job).pid, flush=True)
time.sleep(600)
"""
FAMILY = """\
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        os.fork()
        time.sleep(600)
time.sleep(600)
"""


TERMINATED = """\
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(5))
os.fork()
open(str(os.getpid()), "w").close()
time.sleep(600)
"""


@pytest.mark.parametrize("mode", MODES)
def test_a_killed_grader_leaves_nothing_of_a_box(tmp_path: Path, mode: str) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    folder.chmod(0o777)
    for above in (tmp_path, *tmp_path.parents):
        if above.stat().st_mode & 0o005 != 0o005:
            above.chmod(0o755)
    grader = subprocess.Popen(command(mode, "-c", GRADER, str(folder), mode, FAMILY), stdout=subprocess.PIPE, text=True)

    def family() -> list[int]:
        commands = {one.pid: one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])}
        return [pid for pid, words in commands.items() if words[1:] == ["-c", FAMILY, str(folder)]]

    assert grader.stdout is not None
    itself, first = map(int, grader.stdout.readline().split())
    wait_until(lambda: len(family()) == 7, what="the family to be there")
    assert first in family()
    os.kill(itself, signal.SIGKILL)
    wait_until(lambda: family() == [], what="nothing to be left", seconds=2)
    grader.wait()


@pytest.fixture
def box() -> Bubblewrap:
    chosen = confining.best()
    assert isinstance(chosen, Bubblewrap), chosen.why_not
    return chosen


def job(tmp_path: Path, code: str, **ports: int) -> Job:
    workspace = tmp_path / "workspace"
    workspace.mkdir(exist_ok=True)
    return Job([sys.executable, "-c", code], workspace, tmp_path / "output", basic_environment(tmp_path), limits=SMALL)


def test_a_job_is_seen_and_signalled_by_the_pids_of_the_machine(tmp_path: Path, box: Bubblewrap) -> None:
    running = box.run(job(tmp_path, TERMINATED))
    try:
        wait_until(lambda: len(list((tmp_path / "workspace").iterdir())) == 2, what="both processes")
        seen = running.processes()
        assert running.pid in seen
        assert 2 == len(seen)
        running.signal(signal.SIGTERM)
        assert 5 == running.wait(10)
    finally:
        running.end()


SETTINGS = """\
for name in ("kernel/core_pattern", "kernel/hostname", "kernel/ns_last_pid", "vm/drop_caches"):
    try:
        open("/proc/sys/" + name, "a").close()
        print(name)
    except OSError:
        pass
"""


@pytest.mark.parametrize("as_root", [True, False])
def test_no_setting_of_the_kernel_can_be_changed(tmp_path: Path, box: Bubblewrap, as_root: bool) -> None:
    if as_root and not ROOT:
        pytest.skip("an ordinary user has no such box")
    running = Bubblewrap(box.program, as_root=as_root).run(job(tmp_path, SETTINGS))

    assert 0 == running.wait(20)
    assert "" == running.output.read_text()


def test_two_jobs_share_a_workspace(tmp_path: Path, box: Bubblewrap) -> None:
    first = box.run(
        job(tmp_path, "import time\nopen('a', 'w').write('1')\nwhile True: open('a', 'a').close(); time.sleep(0.01)")
    )
    try:
        wait_until((tmp_path / "workspace" / "a").exists, what="the file of the first job")
        second = box.run(job(tmp_path, "open('a', 'a').write('2'); open('b', 'w').write('3')"))
        assert 0 == second.wait(20)
        assert first.poll() is None
    finally:
        first.end()
    assert "12" == (tmp_path / "workspace" / "a").read_text()


def test_a_box_that_cannot_be_made_is_the_graders_fault(tmp_path: Path) -> None:
    with pytest.raises(Unable, match=r"the box did not start: .*No such file"):
        Bubblewrap(Path("/no/such/bwrap"), as_root=False).run(job(tmp_path, "pass"))


def test_a_box_costs_little(tmp_path: Path, box: Bubblewrap) -> None:
    # By processor time, which neighbours on this machine do not change as much as they do a clock.
    def seconds(way: Box) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        running = way.run(job(tmp_path, "pass"))
        assert 0 == running.wait(30)
        running.end()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    pairs = [(seconds(box), seconds(Unconfined())) for _ in range(5)]
    boxed, bare = map(min, zip(*pairs, strict=True))

    assert boxed - bare <= 0.05
