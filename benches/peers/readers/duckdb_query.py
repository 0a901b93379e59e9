"""curl into a file, and DuckDB's read_json of it into a Parquet file. Arguments: URL, token, folder."""

import subprocess
import sys

import duckdb

url, token, folder = sys.argv[1:]
request = f"{url}/customer.list?includeInactive=true&authenticationToken={token}"
received = subprocess.run(["curl", "--silent", "--show-error", "--fail", "--output", f"{folder}/reply.json", request], check=False)
if received.returncode != 0:
    sys.exit(received.returncode)
duckdb.sql(
    f"""
COPY (
  SELECT CAST(c.id AS BIGINT) AS id, c.accountingCode, c.name, c.code, CAST(c.active AS BOOLEAN) AS active,
         c.salesPerson, c.salesPersonId, c.customerType, CAST(c.updatedOn AS TIMESTAMP) AS updatedOn
  FROM (SELECT unnest(customers) AS c FROM read_json('{folder}/reply.json', maximum_object_size = 2147483647,
    columns = {{customers: 'STRUCT(id VARCHAR, accountingCode VARCHAR, name VARCHAR, code VARCHAR, active VARCHAR,
      salesPerson VARCHAR, salesPersonId BIGINT, customerType VARCHAR, updatedOn VARCHAR)[]'}}))
) TO '{folder}/customers.parquet' (FORMAT parquet, COMPRESSION zstd)
"""
)
