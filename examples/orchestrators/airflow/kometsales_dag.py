"""Airflow 2.9 or later: Komet Sales customers into the warehouse, every hour. Needs the package kometsales beside Airflow."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.decorators import dag, task
from airflow.exceptions import AirflowFailException


@dag(schedule="17 * * * *", start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=1)
def kometsales_customers():
    @task(retries=3, retry_delay=timedelta(minutes=5))
    def export(place: str = "s3://lake/komet") -> dict:
        """The summary is the task's XCom."""
        import kometsales

        try:
            # The token: KOMETSALES_AUTHENTICATION_TOKEN, or KOMETSALES_AUTHENTICATION_TOKEN_FILE.
            return kometsales.export(place, timezone="America/Bogota")
        except kometsales.TransientError:
            raise  # Airflow tries again.
        except kometsales.Error as error:
            raise AirflowFailException(str(error)) from error

    export()


kometsales_customers()
