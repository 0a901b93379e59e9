"""Rows as Arrow data that can be read any number of times."""

from __future__ import annotations

import io
import os
from typing import IO, Any


class Rows:
    """The rows of a stream: an object with the Arrow PyCapsule interface, so that ``polars.DataFrame(rows)``,
    ``pyarrow.table(rows)``, ``duckdb.sql("FROM rows")`` and ``pandas.DataFrame.from_arrow(rows)`` take it, each as often
    as it likes.

    ``len(rows)`` is how many there are, and ``rows.columns`` are their names. They are in an unnamed temporary file in
    ``TMPDIR``, some 100 bytes per customer, until this object is no longer used; memory holds a batch at a time.
    """

    def __init__(self, file: IO[bytes], summary: dict[str, Any]) -> None:
        self._file = file
        self._summary = summary

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """A stream of record batches from the first row on (the Arrow PyCapsule interface)."""
        from nanoarrow.ipc import InputStream

        return InputStream.from_readable(_FromStart(self._file)).__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """The schema (the Arrow PyCapsule interface)."""
        return self._schema().__arrow_c_schema__()

    def _schema(self) -> Any:
        import nanoarrow

        return nanoarrow.c_array_stream(self).get_schema()

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [child.name for child in self._schema().children]

    @property
    def summary(self) -> dict[str, Any]:
        """What the program said at the end, as ``export`` does: rows, rejects, bytes, seconds, ..."""
        return dict(self._summary)

    def __len__(self) -> int:
        return int(self._summary.get("rows", 0))

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<kometsales.Rows: {len(self):,} rows, {', '.join(self.columns)}>"


class _FromStart(io.RawIOBase):
    """A file that is read from its start, whoever else reads it."""

    def __init__(self, file: IO[bytes]) -> None:
        # It stays open as long as somebody reads.
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = os.preadv(self._file.fileno(), [buffer], self._position)
        self._position += count
        return count
