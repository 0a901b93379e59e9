"""Dagster: the table of Komet Sales customers as an asset, and a schedule. Needs the package kometsales beside Dagster."""

import os

import kometsales
from dagster import (
    Definitions,
    Failure,
    MaterializeResult,
    RetryRequested,
    ScheduleDefinition,
    asset,
    define_asset_job,
)

PLACE = os.environ.get("KOMET_PLACE", "s3://lake/komet")


@asset(kinds={"deltalake"})
def customers() -> MaterializeResult:
    """The customers of the company, one row each."""
    try:
        # The token: KOMETSALES_AUTHENTICATION_TOKEN, or KOMETSALES_AUTHENTICATION_TOKEN_FILE.
        done = kometsales.export(PLACE, timezone="America/Bogota")
    except kometsales.TransientError as error:
        raise RetryRequested(max_retries=3, seconds_to_wait=300) from error
    except kometsales.Error as error:
        raise Failure(str(error), allow_retries=False) from error
    return MaterializeResult(metadata={key: value for key, value in done.items() if value is not None})


every_hour = ScheduleDefinition(job=define_asset_job("komet", selection=[customers]), cron_schedule="17 * * * *")
defs = Definitions(assets=[customers], schedules=[every_hour])
