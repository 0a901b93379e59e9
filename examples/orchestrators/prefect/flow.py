"""Prefect 3: Komet Sales customers into the warehouse, every hour. Needs the package kometsales beside Prefect."""

from __future__ import annotations

import os

import kometsales
from prefect import flow, task

PLACE = os.environ.get("KOMET_PLACE", "s3://lake/komet")


def is_worth_another_try(_task, _run, state) -> bool:
    """Whether the failure is one that passes."""
    try:
        state.result()
    except kometsales.Error as error:
        return error.retry
    except Exception:
        return False
    return False


@task(retries=3, retry_delay_seconds=[60, 300, 900], retry_condition_fn=is_worth_another_try)
def export(place: str) -> dict:
    """What was done, as `--json` says it."""
    # The token: KOMETSALES_AUTHENTICATION_TOKEN, or KOMETSALES_AUTHENTICATION_TOKEN_FILE.
    return kometsales.export(place, timezone="America/Bogota")


@flow(name="komet", log_prints=True)
def customers(place: str = PLACE) -> dict:
    """The table of the company's customers, brought up to date."""
    done = export(place)
    print(f"{done['rows']:,} customers written")
    return done


if __name__ == "__main__":
    customers.serve(name="every-hour", cron="17 * * * *")
