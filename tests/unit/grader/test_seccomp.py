"""The filter of system calls, carried out as the kernel would: which calls a box refuses, on each machine that it knows."""

import errno
import struct

import pytest

from grader.adapters import seccomp

X86, ARM = "x86_64", "aarch64"
ARCHITECTURES = {X86: 0xC000003E, ARM: 0xC00000B7}
NAMES = ("read", "clone", "clone3", "unshare", "memfd_create", "keyctl", "socket", "execve")
NUMBERS = {
    X86: dict(zip(NAMES, (0, 56, 435, 272, 319, 250, 41, 59), strict=True)),
    ARM: dict(zip(NAMES, (63, 220, 435, 97, 279, 219, 198, 221), strict=True)),
}
NEW_USER, THREAD = 0x10000000, 0x003D0F00
VSOCK, INTERNET, LOCAL = 40, 2, 1


def answered(machine: str, number: int, argument: int = 0, architecture: int | None = None) -> int:
    """What the call gets: 0 where it is carried out, else its errno."""
    program = seccomp.program(machine)
    assert program is not None
    steps = list(struct.iter_unpack("HBBI", program))
    data = struct.pack("<IIQ6Q", number, architecture or ARCHITECTURES[machine], 0, argument, 0, 0, 0, 0, 0)
    at = loaded = 0
    while True:
        code, if_true, if_false, value = steps[at]
        at += 1
        if code == 0x06:
            assert value == 0x7FFF0000 or value >> 16 == 5
            return 0 if value == 0x7FFF0000 else value & 0xFFFF
        if code == 0x20:
            (loaded,) = struct.unpack_from("<I", data, value)
            continue
        holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code]
        at += if_true if holds else if_false


@pytest.mark.parametrize("machine", [X86, ARM])
@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        ("read", 0, 0),
        ("execve", 0, 0),
        ("clone", THREAD, 0),
        ("clone", 17, 0),
        ("clone", NEW_USER | 17, errno.EPERM),
        ("clone3", 0, errno.ENOSYS),
        ("unshare", NEW_USER, errno.EPERM),
        ("memfd_create", 0, errno.EPERM),
        ("keyctl", 0, errno.EPERM),
        ("socket", LOCAL, 0),
        ("socket", INTERNET, 0),
        ("socket", VSOCK, errno.EAFNOSUPPORT),
    ],
)
def test_a_call_gets_its_answer(machine: str, name: str, argument: int, expected: int) -> None:
    assert expected == answered(machine, NUMBERS[machine][name], argument)


def test_calls_by_other_conventions_are_refused() -> None:
    i386 = 0x40000003

    assert errno.ENOSYS == answered(X86, 0, architecture=i386)
    assert errno.ENOSYS == answered(X86, 0x40000000)


def test_an_unknown_machine_has_no_filter() -> None:
    assert seccomp.program("riscv64") is None
