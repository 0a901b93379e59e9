"""The customers of Komet Sales as Arrow data, and exports to Delta tables and Parquet files.

    import kometsales, polars
    customers = kometsales.read(timezone="America/Bogota")     # the token: KOMETSALES_AUTHENTICATION_TOKEN
    polars.DataFrame(customers)

Each call runs the program ``kometsales``, which this package holds, and hands it the settings on standard input: a
token is in no argument of a process, and in no file. Every setting is a keyword; see ``Settings``.
"""

from __future__ import annotations

from ._calls import export, read, simulate
from ._errors import (
    AuthError,
    ConfigError,
    DataError,
    Error,
    SystemError,
    TransientError,
    UsageError,
    Warning,
)
from ._program import version as _version
from ._rows import Rows
from ._settings import Settings
from ._simulator import Simulator

__all__ = [
    "AuthError",
    "ConfigError",
    "DataError",
    "Error",
    "Rows",
    "Settings",
    "Simulator",
    "SystemError",
    "TransientError",
    "UsageError",
    "Warning",
    "export",
    "read",
    "simulate",
]


def __getattr__(name: str) -> str:
    if name == "__version__":
        return _version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
