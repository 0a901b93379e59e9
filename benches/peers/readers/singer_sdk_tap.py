"""A tap of Meltano's Singer SDK, as its template makes one."""

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import APIKeyAuthenticator


class Customers(RESTStream):
    name = "customers"
    path = "/customer.list"
    primary_keys = ("id",)
    records_jsonpath = "$.customers[*]"
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType, required=True),
        th.Property("accountingCode", th.StringType),
        th.Property("name", th.StringType),
        th.Property("code", th.StringType),
        th.Property("active", th.BooleanType),
        th.Property("salesPerson", th.StringType),
        th.Property("salesPersonId", th.IntegerType),
        th.Property("customerType", th.StringType),
        th.Property("updatedOn", th.StringType),
    ).to_dict()

    @property
    def url_base(self):
        return self.config["base_url"]

    @property
    def authenticator(self):
        return APIKeyAuthenticator(key="authenticationToken", value=self.config["authentication_token"], location="params")

    def get_url_params(self, context, next_page_token):
        return {"includeInactive": "true"}


class TapCustomers(Tap):
    name = "tap-customers"
    config_jsonschema = th.PropertiesList(
        th.Property("authentication_token", th.StringType, required=True, secret=True),
        th.Property("base_url", th.StringType, required=True),
    ).to_dict()

    def discover_streams(self):
        return [Customers(self)]


TapCustomers.cli()
