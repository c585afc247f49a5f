"""Small HTTP servers, whose clients may go away in the middle: a scrape that waited for too long, a process that ended."""

import socketserver
import sys
from http.server import ThreadingHTTPServer
from typing import Any
from wsgiref.simple_server import WSGIServer


class IgnoresDisconnects(socketserver.BaseServer):
    """Says nothing of a client that is gone, where the library prints a traceback."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The library's, for what is an error of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class HttpServer(IgnoresDisconnects, ThreadingHTTPServer):
    """A thread a request."""


class WsgiServer(IgnoresDisconnects, WSGIServer):
    """One request at a time."""
