"""What people call."""

from __future__ import annotations

import inspect
import os
import tempfile
from typing import TYPE_CHECKING, Any, Sequence

from ._program import Secrets, run
from ._rows import Rows
from ._settings import Settings
from ._simulator import Simulator

if TYPE_CHECKING:
    from typing_extensions import Unpack


def read(token: str | None = None, *, stream: str = "customers", **settings: Unpack[Settings]) -> Rows:
    """Reads all rows of a stream, as Arrow data.

    ``token`` is Komet Sales' ``authenticationToken``; without one ``KOMETSALES_AUTHENTICATION_TOKEN`` or the file that
    ``KOMETSALES_AUTHENTICATION_TOKEN_FILE`` names. Every other setting is a keyword: ``timezone="America/Bogota"``,
    ``start_date="2024-01-01"``, … (see ``Settings``). What is not given comes from ``KOMETSALES_*``, or has its default.

    Returns ``Rows``: one row per customer, columns ``id`` (int64), ``accountingCode``, ``name``, ``code`` (string),
    ``active`` (bool), ``salesPerson`` (string), ``salesPersonId`` (int64), ``customerType`` (string), ``updatedOn``
    (timestamp, microseconds, UTC), ``_extra`` (string, JSON: fields that this version does not know) and
    ``_extracted_at`` (timestamp, microseconds, UTC: when the request was sent). ``id`` and ``_extracted_at`` are never null.

    Raises ``ConfigError``, ``AuthError``, ``TransientError`` (after all retries), ``DataError`` or ``SystemError``; nothing of
    a reply is returned unless all of it arrived and Komet Sales said that it is right.
    """
    secrets = _secrets(token, settings)
    del token, settings
    file = tempfile.TemporaryFile(prefix="kometsales-")
    try:
        answer = run(["export", "--config", "-", "--to", "-", "--json", "--stream", stream], secrets, stdout=file)
    except BaseException:
        file.close()
        raise
    return Rows(file, answer.summary)


def export(
    to: str | os.PathLike[str],
    token: str | None = None,
    *,
    mode: str | None = None,
    stream: str = "customers",
    full_refresh: bool = False,
    dry_run: bool = False,
    check: bool = False,
    single_writer: bool = False,
    allow_shrink: bool = False,
    vacuum: str | None = None,
    forget: Sequence[int] = (),
    **settings: Unpack[Settings],
) -> dict[str, Any]:
    """Exports a stream to a Delta table or a Parquet file, and says what was done: what ``kometsales export --json`` says.

    ``to`` is a place as ``--to`` takes it: ``"s3://bucket/path"``, ``"gs://…"``, ``"az://…"``, ``"abfss://…"`` or a path, for a
    table below it; the same ending in ``.parquet`` for a file. ``mode`` is ``"merge"`` (the default: one row per customer),
    ``"append"``, ``"overwrite"`` or ``"history"``. The other keywords are the flags of the same names. ``vacuum="7d"`` removes
    files that no version of the last seven days needs. ``forget=[25475]`` makes no request and removes these customers from every
    row of the table. Token and settings are those of ``read``; stores take theirs from the
    environment, as their own tools do.

    Raises what ``read`` raises. The table then is as it was.
    """
    place = os.fspath(to)
    if place == "-":
        raise ValueError("export() writes to a place; read() returns the rows")
    secrets = _secrets(token, settings)
    del token, settings
    flags = {
        "--full-refresh": full_refresh,
        "--dry-run": dry_run,
        "--check": check,
        "--single-writer": single_writer,
        "--allow-shrink": allow_shrink,
    }
    arguments = ["export", "--config", "-", f"--to={place}", "--json", f"--stream={stream}"]
    arguments += [flag for flag, is_set in flags.items() if is_set]
    arguments += [f"--mode={mode}"] if mode is not None else []
    arguments += [f"--vacuum={vacuum}"] if vacuum is not None else []
    arguments += [f"--forget={customer}" for customer in forget]
    return run(arguments, secrets).summary


def simulate(
    customers: int = 1000,
    *,
    companies: int | None = None,
    latency: int = 0,
    faults: Sequence[str] = (),
    port: int = 0,
) -> Simulator:
    """Starts a simulated Komet Sales on this machine, for trials and tests.

    ``with kometsales.simulate(customers=5000) as komet: kometsales.read(**komet)``. ``latency`` is in milliseconds; ``faults``
    are those of ``kometsales simulate --help``, such as ``["server-error@2"]``; ``port`` 0 takes a free one. With ``companies``
    the settings are those of the first.

    Raises ``ConfigError`` for a fault that there is not or a port that is taken.
    """
    arguments = [f"--customers={customers}", f"--latency={latency}", f"--port={port}"]
    arguments += [f"--companies={companies}"] if companies is not None else []
    arguments += [f"--fault={fault}" for fault in faults]
    return Simulator(arguments)


def _secrets(token: str | None, settings: Any) -> Secrets:
    if token is None:
        return Secrets(settings)
    is_double = settings.get("authentication_token") is not None
    return Secrets({**settings, "authentication_token": token}, is_double)


def _show_every_setting(call: Any) -> None:
    """Lets ``help()`` and notebooks show each setting as the keyword that it is."""
    signature = inspect.signature(call)
    own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    kind = inspect.Parameter.KEYWORD_ONLY
    more = [
        inspect.Parameter(name, kind, default=None, annotation=getattr(annotation, "__forward_arg__", annotation))
        for name, annotation in Settings.__annotations__.items()
    ]
    call.__signature__ = signature.replace(parameters=own + more)


_show_every_setting(read)
_show_every_setting(export)
