"""Bytes that a server has not read, by the kernel's table."""

import socket

from conductor.laptop.tcp_queues import unread


def test_what_a_server_has_not_read_is_counted_by_its_client() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, socket.create_connection(("127.0.0.1", port)):
            served, _ = listener.accept()
            client.sendall(b"x" * 5000)
            served.recv(1, socket.MSG_PEEK)
            own = client.getsockname()[1]

            assert (5000, 0) == (unread(port, {own}), unread(port, {own + 1, port}))
            served.recv(5000, socket.MSG_WAITALL)
            assert 0 == unread(port, {own})
            served.close()
