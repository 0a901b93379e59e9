//! `customer.list`: the customers of a company.

use crate::model::stream::{Declaration, Field, Filter, Stream, Type};

/// The customers. One reply holds the whole list, in no order.
pub static CUSTOMERS: Stream = Stream::new(Declaration {
    name: "customers",
    method: "customer.list",
    list: "customers",
    record: "customer",
    documentation: "The customers of the company, deactivated ones included unless asked otherwise.",
    fields: &[
        Field::key("id", Type::Integer, "Komet's internal number of the customer."),
        Field::nullable("accountingCode", Type::Text, "The customer's code in accounting."),
        Field::nullable("name", Type::Text, "The customer's name, as Komet has it."),
        Field::nullable(
            "code",
            Type::Text,
            "The customer's short code. Leading zeros matter; Komet does not promise that it is unique.",
        ),
        Field::active("active", Type::Boolean, "False once the customer has been deactivated."),
        Field::nullable("salesPerson", Type::Text, "The name of the customer's salesperson."),
        Field::nullable(
            "salesPersonId",
            Type::Integer,
            "Komet's internal number of the salesperson.",
        ),
        Field::nullable(
            "customerType",
            Type::Text,
            "For example Retailer or Wholesaler; may be empty.",
        ),
        Field::cursor(
            "updatedOn",
            Type::Timestamp,
            "When the customer was last changed, in UTC. Komet sends it without a zone; the setting `timezone` says which one is meant.",
        ),
    ],
    filters: &[
        Filter { setting: "customer_id", parameter: "id" },
        Filter { setting: "name", parameter: "name" },
        Filter { setting: "code", parameter: "code" },
        Filter { setting: "sales_person_id", parameter: "salesPersonId" },
        Filter { setting: "location_id", parameter: "locationId" },
    ],
    since: Some("updateAsOf"),
    inactive: Some("includeInactive"),
});
