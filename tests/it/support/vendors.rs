//! A second stream, which only the tests have.

use kometsales::model::stream::{Declaration, Field, Filter, Stream, Type};

/// The vendors of a company, with other fields, another order and another key than its customers.
pub(crate) static VENDORS: Stream = Stream::new(Declaration {
    name: "vendors",
    method: "vendor.list",
    list: "vendors",
    record: "vendor",
    documentation: "The vendors of the company.",
    fields: &[
        Field::nullable("country", Type::Text, "Where the vendor is."),
        Field::cursor("changedAt", Type::Timestamp, "When the vendor was last changed."),
        Field::nullable("isFarm", Type::Boolean, "Whether the vendor grows what it sells."),
        Field::key("vendorId", Type::Integer, "The number of the vendor."),
        Field::nullable("sinceDate", Type::Timestamp, "Since when it is one."),
        Field::nullable("boxes", Type::Integer, "How many boxes it has sent."),
    ],
    filters: &[Filter { setting: "code", parameter: "vendorCode" }],
});
