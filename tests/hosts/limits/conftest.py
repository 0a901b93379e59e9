"""What the tests share: a long list, served without a server's memory or pace in the way."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from hashlib import md5
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from served import Served  # noqa: E402

@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.stop()


@pytest.fixture(scope="session")
def replies(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes replies of this many customers, each once: `replies(1000, seed="b")`; one of `lacks` of them is left out."""
    folder = tmp_path_factory.mktemp("replies")

    def make(customers: int, seed: str = "a", lacks: int | None = None) -> Path:
        path = folder / f"{customers}-{seed}-{lacks}.json"
        if not path.exists():
            with path.open("w") as file:
                file.write('{"status": "1", "message": "OK", "customers": [')
                for id in range(customers):
                    if lacks and id % lacks == 1:
                        continue
                    file.write("," if id else "")
                    file.write(json.dumps(customer(id, seed), ensure_ascii=False))
                file.write("]}")
        return path

    return make


def customer(id: int, seed: str) -> dict:
    """A record of some 220 bytes, as the documented sample has it."""
    return {
        "id": str(1_000_000 + id * 7),
        "accountingCode": f"ACC{id % 977}",
        "customerType": "PART-TIME FLORIST" if id % 3 else "",
        "salesPerson": f"Julian Mejía {id % 41}",
        # Something that does not compress to nothing.
        "name": f"FLORES {md5(f'{seed}{id}'.encode()).hexdigest()[:20]}",
        "salesPersonId": 1800 + id % 41,
        "active": "1" if id % 9 else "0",
        "code": f"T{id:06d}",
        "updatedOn": f"2024-{id % 12 + 1:02d}-{id % 28 + 1:02d}T{id % 24:02d}:15:17",
    }


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configured catalog that reads everything."""
    path = tmp_path_factory.mktemp("catalog") / "catalog.json"
    stream = {"name": "customers", "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]}
    path.write_text(
        json.dumps(
            {"streams": [{"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}]}
        )
    )
    return path
