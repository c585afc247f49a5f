"""Leads connections that are made inside a box to the servers of the grading, through listening sockets that were opened inside.

A box has a network of its own, so that nothing but these sockets leads out of it. The guard runs this; standard library alone.
"""

import array
import contextlib
import errno
import selectors
import socket
import struct
from collections.abc import Mapping

CHUNK = 256 * 1024
"""Bytes that are read at a time, and the most that wait for a slow reader."""

UCRED = struct.Struct("iII")
MOST_PORTS = 64

START_SECONDS = 30.0
"""How long the box may take until its first program has opened the ports."""


class Relay:
    """The guard's end of one box. `inside_end` goes to the first program inside; `ports` leads from a port inside to one outside."""

    def __init__(self, ports: Mapping[int, int]) -> None:
        self._outside = list(ports.values())
        self._channel, self.inside_end = socket.socketpair()
        self.inside_end.set_inheritable(True)
        self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._channel.settimeout(START_SECONDS)
        self._selector = selectors.DefaultSelector()

    def fileno(self) -> int:
        """What becomes readable when `serve` has something to do."""
        return self._selector.fileno()

    def begin(self) -> int | None:
        """Take the listening sockets; the pid of the program inside, as it is seen here, or None when there is none."""
        self.inside_end.close()
        size = socket.CMSG_SPACE(MOST_PORTS * array.array("i").itemsize) + socket.CMSG_SPACE(UCRED.size)
        pid, descriptors = None, array.array("i")
        with self._channel, contextlib.suppress(OSError):
            message, parts, _, _ = self._channel.recvmsg(64, size)
            for _, kind, data in parts:
                if kind == socket.SCM_CREDENTIALS and message:
                    pid = UCRED.unpack(data)[0]
                if kind == socket.SCM_RIGHTS:
                    descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        for descriptor, port in zip(descriptors, self._outside, strict=False):
            listener = socket.socket(fileno=descriptor)
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, port)
        return pid

    def serve(self) -> None:
        """Accept and carry on whatever is ready, without waiting for anything."""
        for key, events in self._selector.select(0):
            if isinstance(key.data, _Way):
                key.data.go(key.fileobj, events)
            elif isinstance(key.fileobj, socket.socket):
                with contextlib.suppress(OSError):
                    _Way(self._selector, key.fileobj.accept()[0], key.data)


class _Way:
    """One connection from inside and its other half: what came from either and was not taken by the other yet."""

    def __init__(self, selector: selectors.BaseSelector, inside: socket.socket, port: int) -> None:
        self._selector = selector
        outside = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._other = {inside: outside, outside: inside}
        self._waiting = {inside: b"", outside: b""}
        """Bytes to be written to each."""
        self._ended: set[socket.socket] = set()
        """Those that say nothing any more."""
        self._connected = False
        for one in (inside, outside):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = outside.connect_ex(("127.0.0.1", port))
        if code not in (0, errno.EINPROGRESS):
            self._close()
            return
        selector.register(outside, selectors.EVENT_WRITE, self)

    def go(self, one: object, events: int) -> None:
        """Something can be read from one of the two, or written to it."""
        if not isinstance(one, socket.socket) or one.fileno() < 0:
            return
        try:
            if not self._connected:
                self._connected = True
                code = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    raise OSError(code, "the server outside refuses")
            elif events & selectors.EVENT_WRITE:
                self._write(one)
            elif events & selectors.EVENT_READ:
                self._read(one)
            self._watch()
        except BlockingIOError:
            return
        except OSError:
            self._close()

    def _read(self, one: socket.socket) -> None:
        other = self._other[one]
        data = one.recv(CHUNK)
        if not data:
            self._ended.add(one)
            if not self._waiting[other]:
                other.shutdown(socket.SHUT_WR)
            return
        self._waiting[other] = data
        self._write(other)

    def _write(self, one: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            self._waiting[one] = self._waiting[one][one.send(self._waiting[one]) :]
        if not self._waiting[one] and self._other[one] in self._ended:
            one.shutdown(socket.SHUT_WR)

    def _watch(self) -> None:
        """Read from those whose other half takes everything; write where something waits; close when both have ended."""
        if len(self._ended) == len(self._other) and not any(self._waiting.values()):
            self._close()
            return
        for one, other in self._other.items():
            reads = one not in self._ended and not self._waiting[other]
            events = (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if self._waiting[one] else 0)
            known = self._selector.get_map().get(one)
            if events and known is None:
                self._selector.register(one, events, self)
            elif events and known is not None and known.events != events:
                self._selector.modify(one, events, self)
            elif not events and known is not None:
                self._selector.unregister(one)

    def _close(self) -> None:
        for one in self._other:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(one)
            one.close()
