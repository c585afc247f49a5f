"""An address that leads to one server and then to another, as a Service does whose endpoints change."""

import contextlib
import socket
import socketserver
import threading

from servers import end_serving


class AddressSwitch:
    """Forwards TCP connections of one port to another one; while that refuses, a client's connection is closed at once."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        switch = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                switch.forward(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def lead_to(self, target: int) -> None:
        """Further connections lead to that port; those that are open are cut, as when their pod is gone."""
        with self._lock:
            self._target = target
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut everything, and listen no longer."""
        self.lead_to(0)
        end_serving(self._server)

    def forward(self, client: socket.socket) -> None:
        """Carry bytes both ways until one side ends."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._target), timeout=5) as server:
            server.settimeout(None)
            with self._lock:
                self._open |= {client, server}
            back = threading.Thread(target=_carry, args=(server, client), daemon=True)
            back.start()
            _carry(client, server)
            back.join()
            with self._lock:
                self._open -= {client, server}


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
