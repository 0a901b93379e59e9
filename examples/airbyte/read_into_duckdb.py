"""Reads the customers of the simulator into a DuckDB file through PyAirbyte. Run it twice: the second run reads what changed."""

import airbyte

source = airbyte.get_source(
    "source-kometsales",
    local_executable="target/release/kometsales",
    config={
        "authentication_token": "demo-token-of-the-simulator",
        "base_url": "http://127.0.0.1:8080/api",
    },
    streams="*",
)
source.check()
cache = airbyte.caches.DuckDBCache(db_path="customers.duckdb")
result = source.read(cache=cache)
print(result.processed_records, "records read")
print(cache.run_sql_query("SELECT active, count(*) AS customers FROM customers GROUP BY active"))
