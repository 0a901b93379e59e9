"""Answers every request with one file, so that the server is not what is measured. Argument: the file. Prints its port."""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path


def answer(client: socket.socket, path: Path) -> None:
    with client, path.open("rb") as file:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            piece = client.recv(65536)
            if not piece:
                return
            request += piece
        size = path.stat().st_size
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
        client.sendall(head.encode())
        sent = 0
        try:
            while sent < size:
                # The kernel copies it.
                sent += os.sendfile(client.fileno(), file.fileno(), sent, size - sent)
        except ConnectionError:
            return


def main() -> None:
    path = Path(sys.argv[1])
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            client, _ = server.accept()
            threading.Thread(target=answer, args=(client, path), daemon=True).start()


if __name__ == "__main__":
    main()
