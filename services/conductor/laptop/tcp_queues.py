"""What lies unread in the kernel's TCP queues of this machine (Linux; proc_net_tcp(5))."""

from collections.abc import Collection
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def unread(port: int, clients: Collection[int]) -> int:
    """Bytes that came to the server at `port` from these ports of clients, and that it has not read; 0 where nobody can tell."""
    return sum(unread_in(table.read_text(), port, clients) for table in TABLES if table.exists())


def unread_in(table: str, port: int, clients: Collection[int]) -> int:
    """The same by the text of one table."""
    found = 0
    for line in table.splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if _port(local) == port and _port(remote) in clients:
            found += int(queues.partition(":")[2], 16)
    return found


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
