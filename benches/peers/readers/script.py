"""The script that everybody writes first: requests, and a Parquet file by pyarrow. Arguments: URL, token, folder."""

import sys

import pyarrow
import pyarrow.parquet
import requests

url, token, folder = sys.argv[1:]
reply = requests.get(f"{url}/customer.list", params={"includeInactive": "true", "authenticationToken": token}, timeout=300)
reply.raise_for_status()
table = pyarrow.Table.from_pylist(reply.json()["customers"])
types = {"id": pyarrow.int64(), "active": pyarrow.bool_(), "updatedOn": pyarrow.timestamp("us")}
for name, kind in types.items():
    table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(kind))
pyarrow.parquet.write_table(table, f"{folder}/customers.parquet", compression="zstd")
