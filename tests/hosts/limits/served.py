"""Replies that are in files, served without a server's memory or pace in the way. Who is asked for by `id` is gone."""

from __future__ import annotations

import http.server
import json
import tempfile
import threading
from pathlib import Path

TOKEN = "token-of-the-limits-suite"


class Served:
    """Replies that are in files, each at a path of its own."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}
        self._folder = tempfile.TemporaryDirectory()
        self.nobody = Path(self._folder.name) / "nobody.json"
        self.nobody.write_text('{"status": "1", "message": "OK", "customers": []}')
        served = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = served.nobody if "&id=" in self.path else served.files[self.path.split("/")[1]]
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(path.stat().st_size))
                self.end_headers()
                try:
                    with path.open("rb") as file:
                        while piece := file.read(1 << 20):
                            self.wfile.write(piece)
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def config(self, name: str, reply: Path, folder: Path) -> Path:
        """Serves a reply, and gives the configuration with which it is read."""
        self.files[name] = reply
        config = {
            "authentication_token": TOKEN,
            "base_url": f"http://127.0.0.1:{self._server.server_port}/{name}/api",
            "retry_window_seconds": 0,
        }
        path = folder / f"{name}.json"
        path.write_text(json.dumps(config))
        return path

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._folder.cleanup()
