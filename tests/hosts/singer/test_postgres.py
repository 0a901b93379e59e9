"""Meltano with target-postgres into a real PostgreSQL server, looked at with SQL."""

from __future__ import annotations

from datetime import datetime

import pytest

COLUMNS = ["id", "accountingCode", "name", "code", "active", "salesPerson", "salesPersonId", "customerType", "updatedOn"]


@pytest.fixture
def database(postgres, request):
    return postgres.make(request.node.name)


@pytest.fixture
def load_into(installation, project):
    def make(database, config, **extras):
        loader = installation.loader("target-postgres", default_target_schema="komet", **database.config)
        return project(config, loader=loader, **extras)

    return make


def table(database) -> dict[int, tuple]:
    columns = ", ".join(f'"{column}"' for column in COLUMNS)
    rows = database(f"SELECT {columns} FROM komet.customers")
    by_id = {row[0]: row for row in rows}
    assert len(by_id) == len(rows), "an id stands in two rows"
    return by_id


def as_loaded(rows: list[dict]) -> dict[int, tuple]:
    """Rows of the tap as the table should hold them. target-postgres makes a timestamp without zone of a date-time."""

    def value(row: dict, column: str) -> object:
        if column == "updatedOn" and row[column] is not None:
            return datetime.fromisoformat(row[column]).replace(tzinfo=None)
        return row.get(column)

    return {row["id"]: tuple(value(row, column) for column in COLUMNS) for row in rows}


def test_customers_are_loaded_once_per_key_and_updates_arrive(database, load_into, simulator, tap):
    api = simulator("invalid-values", customers=500)
    pipeline = load_into(database, api.config())
    pipeline.run().succeeded()

    first = table(database)
    direct = tap.sync(api.config()).succeeded()
    assert first == as_loaded(direct.rows)
    assert len(first) == api.customers
    types = database(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'komet' AND table_name = 'customers'"
    )
    kinds = dict(types)
    assert {kinds[name] for name in ("id", "salesPersonId")} <= {"bigint", "integer"}, kinds
    assert kinds["active"] == "boolean"
    assert kinds["updatedOn"].startswith("timestamp")
    assert kinds["_extra"] == "jsonb"
    assert all(kinds[name] in ("text", "character varying") for name in ("name", "code", "accountingCode", "customerType"))
    assert database("SELECT count(*) FROM komet.customers WHERE active IS NULL")[0][0] > 0
    assert {active for (active,) in database("SELECT DISTINCT active FROM komet.customers")} == {True, False, None}
    (key,) = database(
        "SELECT string_agg(a.attname, ',') FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
        " AND a.attnum = ANY (i.indkey) WHERE i.indrelid = 'komet.customers'::regclass AND i.indisprimary"
    )
    assert key == ("id",)

    changed = api.change(9)
    pipeline.run().succeeded()
    second = table(database)
    assert len(second) == api.customers
    # Of the customers whose time cannot be read, what changed may be among what became null.
    updated = {id for id, row in second.items() if row != first[id]}
    assert updated and updated <= changed
    assert second == as_loaded(tap.sync(api.config()).succeeded().rows)
    touched = database(
        "SELECT count(*) FROM komet.customers WHERE _sdc_extracted_at > (SELECT min(_sdc_extracted_at) FROM komet.customers)"
    )
    assert len(changed) <= touched[0][0] < api.customers / 2

    pipeline.run("--full-refresh").succeeded()
    assert table(database) == second


def test_a_list_that_fails_leaves_the_table_and_the_bookmark(database, load_into, simulator):
    api = simulator("healthy@1", "cut:2000@1", "token-refused@1", customers=500)
    pipeline = load_into(database, api.config())
    pipeline.run().succeeded()
    before, state = table(database), pipeline.state()
    changed = api.change(20)
    for _ in range(2):
        pipeline.run().failed()
        assert table(database) == before
    assert pipeline.state() == state
    pipeline.run().succeeded()
    after = table(database)
    assert {id for id, row in after.items() if row != before[id]} == changed


def test_new_fields_are_kept_as_json(database, load_into, simulator, tap):
    api = simulator("new-fields")
    load_into(database, api.config()).run().succeeded()
    extra = {row["id"]: row["_extra"] for row in tap.sync(api.config()).succeeded().rows}
    assert dict(database('SELECT id, "_extra" FROM komet.customers')) == extra
    assert any(extra.values())


def test_a_whole_list_marks_what_is_no_longer_in_it_when_versions_are_asked_for(database, load_into, simulator):
    api = simulator(customers=200)
    metadata = {"customers": {"replication-method": "FULL_TABLE"}}
    pipeline = load_into(database, api.config(emit_activate_version_messages=True), metadata=metadata)
    pipeline.run().succeeded()
    assert database("SELECT count(*) FROM komet.customers WHERE _sdc_deleted_at IS NULL") == [(200,)]
    removed = api.change(5, "remove")
    pipeline.run().succeeded()
    gone = {id for (id,) in database("SELECT id FROM komet.customers WHERE _sdc_deleted_at IS NOT NULL")}
    assert gone == removed
    restored = api.change(2, "restore")
    pipeline.run().succeeded()
    gone = {id for (id,) in database("SELECT id FROM komet.customers WHERE _sdc_deleted_at IS NOT NULL")}
    assert gone == removed - restored


def test_an_incremental_pipeline_sees_who_is_gone_when_the_whole_list_is_due(database, load_into, simulator):
    api = simulator(customers=200)
    config = api.config(emit_activate_version_messages=True, full_list_hours=8760)
    pipeline = load_into(database, config)
    pipeline.run().succeeded()
    changed, removed = api.change(4), api.change(3, "remove")
    pipeline.run().succeeded()
    count = "SELECT count(*) FROM komet.customers WHERE _sdc_deleted_at IS "
    assert database(count + "NOT NULL") == [(0,)], "what changed says nothing of who is gone"
    # Rows that were updated in between have the version that was activated last, and can go as well.
    pipeline.run(TAP_KOMETSALES_FULL_LIST_HOURS="0").succeeded()
    gone = {id for (id,) in database("SELECT id FROM komet.customers WHERE _sdc_deleted_at IS NOT NULL")}
    assert gone == removed
    removed |= api.change(5, "remove")
    pipeline.run(TAP_KOMETSALES_FULL_LIST_HOURS="0").succeeded()
    gone = {id for (id,) in database("SELECT id FROM komet.customers WHERE _sdc_deleted_at IS NOT NULL")}
    assert gone == removed and changed - removed
