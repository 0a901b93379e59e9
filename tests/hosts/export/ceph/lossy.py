"""A way to a store on which answers are lost: what was asked for is done, and whoever asked for it never hears of it."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from cluster import Ceph
from stores import Place

# What belongs to one connection alone, and the length, which is set anew.
OF_A_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Lossy:
    """The same store, by that way. Whoever looks at what is there goes straight to it."""

    def __init__(self, ceph: Ceph, origin: str) -> None:
        self._ceph = ceph
        self.environment = {**ceph.environment, "AWS_ENDPOINT_URL": origin}
        # How often each object was put by this way; the first answer is the one that is lost.
        self.puts: Counter[str] = Counter()
        self.lost: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._ceph, name)

    def loses(self, method: str, path: str) -> bool:
        """Whether the answer to this request is lost: it is the first one that puts the commit of a version, or a file of rows."""
        path = urlsplit(path).path
        if method != "PUT" or ".kometsales-" in path:
            return False
        self.puts[path] += 1
        if self.puts[path] == 1:
            self.lost.append(path)
        return self.puts[path] == 1


@contextmanager
def lossy(place: Place) -> Iterator[Place]:
    """The place, by a way on which the first answer to whoever puts an object is lost."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            there = http.client.HTTPConnection(urlsplit(place.store.origin).netloc, timeout=30)
            try:
                # The signature covers the host that was asked for.
                there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() != "connection":
                        there.putheader(name, value)
                there.endheaders(body)
                answer = there.getresponse()
                content = answer.read()
            finally:
                there.close()
            if store.loses(self.command, self.path):
                self.close_connection = True
                return
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in OF_A_CONNECTION:
                    self.send_header(name, value)
            length = answer.getheader("Content-Length", "0") if self.command == "HEAD" else len(content)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # Whoever has what it wants, or was killed, hangs up.
    server.handle_error = lambda *_: None
    store = Lossy(place.store, f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield replace(place, store=store)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=20)
