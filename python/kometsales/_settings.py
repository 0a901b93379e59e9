"""The settings as keywords. Generated: kometsales generate python"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, tzinfo


class Settings(TypedDict, total=False):
    """Settings that a call takes as keywords. None is an absent value."""

    authentication_token: str | None
    """The Komet Sales security token, of a company or a vendor. It must be allowed to call customer.list."""

    start_date: date | str | None
    """Customers last updated before this day are not read. Leave empty to read all."""

    include_inactive: bool | None
    """Also read deactivated customers. Without them a customer who is deactivated stays active in the destination."""

    timezone: tzinfo | str | None
    """The IANA name of the zone in which Komet Sales writes updatedOn, which carries none."""

    lookback_hours: int | None
    """How far before its cursor an incremental read starts again, so that late changes are not missed."""

    customer_id: int | str | None
    """Read only the customer with this Komet Sales number."""

    sales_person_id: int | str | None
    """Read only the customers of the salesperson with this Komet Sales number."""

    location_id: int | str | None
    """Read only the customers of this location. For companies with several locations."""

    name: str | None
    """Read only the customers whose name contains this text."""

    code: str | None
    """Read only the customer with this code."""

    max_rejects: int | None
    """At most this many records without a valid id are skipped; more fail the read. Without a value none for Airbyte, Singer and streams, and any number for tables and files, which keep them."""

    full_list_hours: int | None
    """An incremental read asks for the whole list where the last whole one is this old. Deletes, and changes that do not move updatedOn, are seen then. 0 is every time. Without a value never for Airbyte and Singer, and 168 for tables. No effect with a filter, a start date or without inactive customers."""

    exclude_fields: str | Sequence[str] | None
    """These fields are in no output. Unknown fields and the content of rejected records are left out too."""

    hash_fields: str | Sequence[str] | None
    """In place of these text fields go their hashes: HMAC-SHA-256 of the value, in hexadecimal digits. Unknown fields and the content of rejected records are left out."""

    hash_key: str | None
    """The secret under which fields are hashed. Needed where hash_fields is set; another key gives other hashes."""

    base_url: str | None
    """Where the API is. HTTPS, or HTTP on loopback."""

    request_timeout_seconds: int | None
    """How long one request may take, from the connection to the last byte."""

    retry_window_seconds: int | None
    """For how long a request that failed for a passing reason is sent again. 0 sends it once."""
