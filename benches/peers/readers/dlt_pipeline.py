"""dlt's source for REST interfaces, into a folder of Parquet files. Arguments: URL, token, folder."""

import sys

import dlt
from dlt.sources.rest_api import rest_api_resources

url, token, folder = sys.argv[1:]
customers = rest_api_resources(
    {
        "client": {
            "base_url": url,
            "auth": {"type": "api_key", "name": "authenticationToken", "api_key": token, "location": "query"},
            "paginator": "single_page",
        },
        "resources": [
            {
                "name": "customers",
                "primary_key": "id",
                "write_disposition": "replace",
                "columns": {
                    "id": {"data_type": "bigint"},
                    "active": {"data_type": "bool"},
                    "sales_person_id": {"data_type": "bigint"},
                    "updated_on": {"data_type": "timestamp"},
                },
                "endpoint": {"path": "customer.list", "params": {"includeInactive": "true"}, "data_selector": "customers"},
            }
        ],
    }
)
pipeline = dlt.pipeline(
    pipeline_name="customers",
    pipelines_dir=f"{folder}/pipelines",
    destination=dlt.destinations.filesystem(bucket_url=f"file://{folder}/output"),
    dataset_name="komet",
)
print(pipeline.run(customers, loader_file_format="parquet"))
