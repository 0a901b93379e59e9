"""What these tests share besides what tests/hosts/conftest.py has: stores, places in them, and the export as a program."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from itertools import count

import pytest

# tests/hosts/run, whose environment lacks what is needed here, passes these tests over.
collect_ignore_glob = [] if importlib.util.find_spec("deltalake") else ["*"]

# Neither the export nor a reader may find its way to a store of whoever runs the tests.
for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_", "AZURITE_"))]:
    del os.environ[name]
os.environ.update(AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)

if not collect_ignore_glob:
    from exporter import Exporter
    from stores import Azurite, Folders, Moto, Place

_numbers = count()


@pytest.fixture
def exporter(connector) -> Exporter:
    return Exporter(connector)


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    with Moto() as server:
        yield server


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    with Azurite() as server:
        yield server


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An empty folder of this machine."""
    return Folders().place(tmp_path_factory.mktemp("export"))


@pytest.fixture
def bucket(moto: Moto) -> Place:
    """A folder in an empty bucket of S3."""
    return moto.place(str(next(_numbers)))


@pytest.fixture
def container(azurite: Azurite) -> Place:
    """A folder in an empty container of Azure."""
    return azurite.place(str(next(_numbers)))


@pytest.fixture(params=["folder", "bucket", "container"])
def place(request: pytest.FixtureRequest) -> Place:
    """An empty place in each store, one after the other."""
    return request.getfixturevalue(request.param)
