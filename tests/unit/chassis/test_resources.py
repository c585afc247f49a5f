"""What a process uses is that of its container where it has one, and of its tree elsewhere; what cannot be read is absent."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from chassis.resources import Usage, usage

MEBIBYTE = 1 << 20
HOLDS = "import sys; held = bytearray(64 << 20); print('holding', flush=True); sys.stdin.read()"

GROUPS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "version 2": (
        "0::/",
        {"memory.max": "1000", "memory.current": "700", "memory.stat": "anon 500\ninactive_file 150\n"},
    ),
    "version 1": (
        "5:cpu,cpuacct:/\n4:memory:/",
        {
            "memory/memory.limit_in_bytes": "1000",
            "memory/memory.usage_in_bytes": "700",
            "memory/memory.stat": "total_inactive_file 150\n",
        },
    ),
    "at the machine's path": (
        "0::/kubepods/pod1",
        {
            "kubepods/pod1/memory.max": "1000",
            "kubepods/pod1/memory.current": "700",
            "kubepods/pod1/memory.stat": "inactive_file 150\n",
        },
    ),
}


def machine(folder: Path, told: str, files: Mapping[str, str]) -> tuple[Path, Path]:
    """A machine's cgroups, and its processes: the first has this group, and nothing else is known of it."""
    for name, text in {"proc/self/cgroup": told, **{f"cgroup/{name}": text for name, text in files.items()}}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder / "cgroup", folder / "proc"


@pytest.mark.parametrize("group", GROUPS)
def test_the_first_process_of_a_container_has_its_containers(tmp_path: Path, group: str) -> None:
    cgroups, proc = machine(tmp_path, *GROUPS[group])

    assert Usage(550, 1000, None) == usage(pid=1, cgroups=cgroups, proc=proc)


@pytest.mark.parametrize("most", ["max", "9223372036854771712", "nonsense"])
def test_a_container_without_a_limit_has_none(tmp_path: Path, most: str) -> None:
    files = {"memory.max": most, "memory.current": "700", "memory.stat": ""}
    cgroups, proc = machine(tmp_path, "0::/", files)

    assert Usage(None, None, None) == usage(pid=1, cgroups=cgroups, proc=proc)


def test_any_other_process_has_that_of_its_tree_and_the_limit_that_it_was_told() -> None:
    before = usage()
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        held = usage(limit_bytes=MEBIBYTE)
        alone = usage(pid=child.pid)
        child.stdin.close()

    at_first, at_last, its_own = (one.memory_bytes or 0 for one in (before, held, alone))
    assert at_last - at_first > 48 * MEBIBYTE < its_own
    assert (None, MEBIBYTE) == (before.limit_bytes, held.limit_bytes)


def test_cpu_time_is_that_of_children_too_also_when_they_have_ended() -> None:
    before = usage().cpu_seconds
    subprocess.run([sys.executable, "-c", "sum(range(6_000_000))"], check=True)
    after = usage().cpu_seconds

    assert before is not None
    assert after is not None
    assert after - before > 0.03


def test_of_a_process_that_is_gone_nothing_is_known() -> None:
    assert Usage(None, None, None) == usage(pid=os.getpid() + 2**22)
