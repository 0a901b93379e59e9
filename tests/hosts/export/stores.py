"""Where the tests export to: folders of this machine, and buckets and containers of two stores that are not ours.

moto takes every signature for right and lets two writers win a race, so nothing is proved on it that rests on either. Azurite
checks signatures and conditions.
"""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import boto3
from azure.storage.blob import BlobServiceClient
from botocore.config import Config
from deltalake import DeltaTable

AZURITE = Path(__file__).resolve().parents[3] / ".venvs/azurite/node_modules/azurite/dist/src/blob/main.js"

# Speaks to loopback whatever proxies the environment names.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Place:
    """Somewhere to export to, with what a program needs to get there."""

    url: str
    store: Folders | S3 | Azurite

    def __truediv__(self, name: str) -> Place:
        return replace(self, url=f"{self.url}/{name}")

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which the export gets there."""
        return self.store.environment

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.store.secrets

    @property
    def options(self) -> dict[str, str] | None:
        """How delta-rs and Polars get there."""
        return self.store.options

    def files(self) -> dict[str, bytes]:
        """Every file below, by its path from here."""
        return self.store.files(self.url)

    def is_table(self) -> bool:
        return DeltaTable.is_deltatable(f"{self.url}/customers", self.options)

    def table(self, version: int | None = None) -> DeltaTable:
        """The table here, opened by delta-rs."""
        return DeltaTable(f"{self.url}/customers", version=version, storage_options=self.options)


class Folders:
    """Folders of this machine."""

    name = "local"
    environment: dict[str, str] = {}
    secrets: tuple[str, ...] = ()
    options = None

    def place(self, folder: Path) -> Place:
        return Place(str(folder), self)

    def files(self, url: str) -> dict[str, bytes]:
        return {str(path.relative_to(url)): path.read_bytes() for path in sorted(Path(url).rglob("*")) if path.is_file()}


class Server:
    """A store that runs from `with` to its end."""

    def __enter__(self) -> Server:
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            self._command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self._variables()},
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                self._started()
                return self
        self._process.kill()
        raise AssertionError(f"{' '.join(self._command())} did not start")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=10)

    def _variables(self) -> dict[str, str]:
        return {}

    def _started(self) -> None:
        pass


class S3(Server):
    """What speaks the language of S3: a program says how it is started."""

    name = "s3"
    key, secret = "AKIDKOMETSALESTEST00", "s3cr3t/of+the=Store&7kQ9zR2wXv5bN8mJ4hL1pT6y"
    secrets = (secret,)

    def _started(self) -> None:
        self.client = boto3.client(
            "s3",
            endpoint_url=self.origin,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 1}, proxies={}),
        )

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.origin,
            "AWS_ALLOW_HTTP": "true",
        }

    @property
    def options(self) -> dict[str, str]:
        # What delta-rs itself writes (a checkpoint, in one test) nobody races for.
        return {**self.environment, "aws_conditional_put": "etag"}

    def place(self, folder: str) -> Place:
        """A folder in a new bucket."""
        bucket = f"bucket-{folder}"
        self.client.create_bucket(Bucket=bucket)
        return Place(f"s3://{bucket}/komet/exports", self)

    def files(self, url: str) -> dict[str, bytes]:
        bucket, prefix = _split(url)
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
        read = {key: self.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in sorted(keys)}
        return {key.removeprefix(prefix): content for key, content in read.items()}

    def put(self, url: str, content: bytes) -> None:
        bucket, key = _split(url)
        self.client.put_object(Bucket=bucket, Key=key.rstrip("/"), Body=content)

    def unfinished_uploads(self, url: str) -> list[str]:
        """Uploads in parts that were neither completed nor aborted: nobody sees them, and somebody pays for them."""
        bucket, _ = _split(url)
        return [upload["Key"] for upload in self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]


class Moto(S3):
    """S3, played by Python."""

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def refuse_everybody(self, is_refusing: bool) -> None:
        """From now on every key is one that the store does not know, or none is."""
        allowed = b"0" if is_refusing else b"inf"
        plain = {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{self.origin}/moto-api/reset-auth", data=allowed, headers=plain, method="POST")
        with _direct.open(request, timeout=20) as reply:
            assert reply.status == 200


class Azurite(Server):
    """Azure Blob Storage."""

    name = "azure"
    account = "kometstore"
    secret = base64.b64encode(bytes(range(190, 254))).decode()
    secrets = (secret,)

    def _command(self) -> list[str]:
        assert AZURITE.exists(), f"There is no Azurite at {AZURITE}: tests/hosts/export/run installs it."
        flags = ["--silent", "--skipApiVersionCheck", "--inMemoryPersistence", "--disableTelemetry"]
        return ["node", str(AZURITE), "--blobHost", "127.0.0.1", "--blobPort", str(self.port), *flags]

    def _variables(self) -> dict[str, str]:
        return {"AZURITE_ACCOUNTS": f"{self.account}:{self.secret}"}

    def _started(self) -> None:
        self.client = BlobServiceClient(f"{self.origin}/{self.account}", credential=self.secret)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": self.account,
            "AZURE_STORAGE_ACCOUNT_KEY": self.secret,
            "AZURE_STORAGE_ENDPOINT": f"{self.origin}/{self.account}",
            "AZURE_ALLOW_HTTP": "true",
        }

    @property
    def options(self) -> dict[str, str]:
        return self.environment

    def place(self, folder: str) -> Place:
        """A folder in a new container."""
        container = f"container-{folder}"
        self.client.create_container(container)
        return Place(f"az://{container}/komet/exports", self)

    def files(self, url: str) -> dict[str, bytes]:
        name, prefix = _split(url)
        container = self.client.get_container_client(container=name)
        blobs = sorted(container.list_blob_names(name_starts_with=prefix))
        return {blob.removeprefix(prefix): container.download_blob(blob).readall() for blob in blobs}


def _split(url: str) -> tuple[str, str]:
    """The bucket, and how the names of everything below the URL begin."""
    bucket, _, prefix = url.partition("://")[2].partition("/")
    return bucket, f"{prefix.rstrip('/')}/"


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on, each another one."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in held:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in held]
