"""The system calls that a box forbids, as a filter of the kernel (seccomp, classic BPF) that bubblewrap sets before the first program.

What namespaces do not hold: new user namespaces, which open kernel code that otherwise needs root; memory that belongs to no process
and is therefore not counted (memfd, System V); the user's keys; sockets that no network namespace covers (vsock); and interfaces of the
kernel that no lab needs. A call by the conventions of another processor is refused whole.

Numbers and constants are those of the kernel's headers: asm/unistd, linux/seccomp.h, linux/audit.h, linux/sched.h.
"""

import errno
import platform
import struct

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENT = 0, 4, 16
"""Offsets in seccomp_data; the lower half of the first argument, on a little-endian machine."""

ALLOW, ERRNO = 0x7FFF0000, 0x00050000

NAMESPACES = 0x7E020000
"""CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID and -NET."""

FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: all but the first are the box's own network."""

X32 = 0x40000000

CALLS = {
    "x86_64": (
        0xC000003E,
        {"clone": 56, "clone3": 435, "socket": 41},
        # unshare setns memfd_create memfd_secret shmget msgget semget keyctl add_key request_key bpf perf_event_open userfaultfd
        # io_uring_setup
        (272, 308, 319, 447, 29, 68, 64, 250, 248, 249, 321, 298, 323, 425),
    ),
    "aarch64": (
        0xC00000B7,
        {"clone": 220, "clone3": 435, "socket": 198},
        (97, 268, 279, 447, 194, 186, 190, 219, 217, 218, 280, 241, 282, 425),
    ),
}
"""For each machine: its number in audit.h, the calls that are looked at more closely, and those that are refused, in one order."""


def program(machine: str = "") -> bytes | None:
    """The filter as bubblewrap's --seccomp takes it; None for a machine whose numbers are not known here."""
    known = CALLS.get(machine or platform.machine())
    if known is None:
        return None
    architecture, looked_at, refused = known
    steps = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, architecture), _refuse(errno.ENOSYS)]
    steps += [(LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, X32), _refuse(errno.ENOSYS)]
    # The C library then takes clone, whose flags can be read here; those of clone3 lie in memory.
    steps += [(EQUAL, 0, 1, looked_at["clone3"]), _refuse(errno.ENOSYS)]
    for number in refused:
        steps += [(EQUAL, 0, 1, number), _refuse(errno.EPERM)]
    steps += [(EQUAL, 0, 4, looked_at["clone"]), (LOAD, 0, 0, ARGUMENT), (ANY_BIT, 0, 1, NAMESPACES)]
    steps += [_refuse(errno.EPERM), (RETURN, 0, 0, ALLOW)]
    steps += [(EQUAL, 0, len(FAMILIES) + 2, looked_at["socket"]), (LOAD, 0, 0, ARGUMENT)]
    steps += [(EQUAL, len(FAMILIES) - place, 0, family) for place, family in enumerate(FAMILIES)]
    steps += [_refuse(errno.EAFNOSUPPORT), (RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def _refuse(code: int) -> tuple[int, int, int, int]:
    return (RETURN, 0, 0, ERRNO | code)
