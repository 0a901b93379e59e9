//! The Arrow schema of a stream's batches: the one currency between source and sinks.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::stream::{EXTRA, EXTRA_DOCUMENTATION, Stream, Type};

/// The column that says which values of a row were invalid and became null: one bit for each declared
/// field, the first field lowest. It never leaves the product; sinks read it and drop it.
pub const NULLED: &str = "_nulled";

/// The bit of [`NULLED`] that says the same of a value in `_extra`.
pub const EXTRA_NULLED: u64 = 1 << 63;

/// The column of a table that says when a row was extracted: when its request was sent.
pub const EXTRACTED_AT: &str = "_extracted_at";

/// The column of a table that says since when a complete list no longer has the row's key.
pub const DELETED_AT: &str = "_deleted_at";

/// The column of a history that says when a version of a row began: the first moment at which it is valid.
pub const VALID_FROM: &str = "_valid_from";

/// The column of a history that says when a version of a row ended: the first moment at which it is not
/// valid any more.
pub const VALID_TO: &str = "_valid_to";

/// The column of a history that says whether a version of a row is valid now.
pub const IS_CURRENT: &str = "_is_current";

/// The column of a table or a stream of many companies that says whose row it is.
pub const COMPANY: &str = "company";

/// A column of a table that is no declared field.
struct ProductColumn {
    name: &'static str,
    /// The number of the column in Parquet files. It is never given to another column.
    field_id: i32,
    documentation: &'static str,
}

/// The columns that tables have besides the declared fields. Their numbers begin where those of declared
/// fields never reach.
const PRODUCT_COLUMNS: &[ProductColumn] = &[
    ProductColumn { name: EXTRA, field_id: 1001, documentation: EXTRA_DOCUMENTATION },
    ProductColumn {
        name: EXTRACTED_AT,
        field_id: 1002,
        documentation: "When the request was sent whose reply had this row, in UTC.",
    },
    ProductColumn {
        name: DELETED_AT,
        field_id: 1003,
        documentation: "When the first complete list was requested that no longer had this row, in UTC; null while the row is there.",
    },
    ProductColumn {
        name: VALID_FROM,
        field_id: 1004,
        documentation: "When this version of the row began, in UTC. It is valid from here on.",
    },
    ProductColumn {
        name: VALID_TO,
        field_id: 1005,
        documentation: "When this version of the row ended, in UTC. It is valid before that, not at it. Null while it is current.",
    },
    ProductColumn {
        name: IS_CURRENT,
        field_id: 1006,
        documentation: "Whether this version of the row is the one that is valid now.",
    },
    ProductColumn {
        name: COMPANY,
        field_id: 1007,
        documentation: "The company whose row it is, as `export --companies` has its name.",
    },
];

/// Which fields of a stream a reader asked for. The key and, where there is one, the cursor are always among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Positions in the stream's table of fields, ascending.
    pub fields: Vec<usize>,
    /// Whether unknown fields are kept in `_extra`.
    pub extra: bool,
}

impl Selection {
    /// Every field.
    pub fn all(stream: &Stream) -> Self {
        Self { fields: (0..stream.fields.len()).collect(), extra: true }
    }

    /// The fields whose name is `wanted`, and the key and the cursor.
    pub fn of(stream: &Stream, wanted: impl Fn(&str) -> bool) -> Self {
        let fields = (0..stream.fields.len())
            .filter(|&index| {
                index == stream.key_index()
                    || Some(index) == stream.cursor_index()
                    || wanted(stream.fields[index].name)
            })
            .collect();
        Self { fields, extra: wanted(EXTRA) }
    }
}

/// [`COMPANY`] as a field.
pub fn company_field() -> Field {
    Field::new(COMPANY, DataType::Utf8, false)
}

/// The Arrow type of a declared type.
pub fn data_type(kind: Type) -> DataType {
    match kind {
        Type::Text => DataType::Utf8,
        Type::Integer => DataType::Int64,
        Type::Boolean => DataType::Boolean,
        Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

/// The schema of a Parquet file and of an Arrow stream: every field in declared order, `_extra` (JSON text),
/// and [`EXTRACTED_AT`].
pub fn rows_schema(stream: &Stream) -> SchemaRef {
    with_times(stream, &[(EXTRACTED_AT, false)])
}

/// The schema of a table: that of [`rows_schema`], and [`DELETED_AT`].
pub fn table_schema(stream: &Stream) -> SchemaRef {
    with_times(stream, &[(EXTRACTED_AT, false), (DELETED_AT, true)])
}

/// Every field, `_extra`, and these times, each with whether it may be null.
fn with_times(stream: &Stream, times: &[(&str, bool)]) -> SchemaRef {
    let whole = schema(stream, &Selection::all(stream));
    let fields = whole.fields().iter().filter(|field| field.name() != NULLED).cloned();
    let times = times.iter().map(|(name, is_nullable)| {
        Arc::new(Field::new(*name, data_type(Type::Timestamp), *is_nullable))
    });
    Arc::new(Schema::new(fields.chain(times).collect::<Vec<_>>()))
}

/// The schema of a history: that of a table, and when each version of a row is valid.
pub fn history_schema(stream: &Stream) -> SchemaRef {
    let validity = [
        Field::new(VALID_FROM, data_type(Type::Timestamp), false),
        Field::new(VALID_TO, data_type(Type::Timestamp), true),
        Field::new(IS_CURRENT, DataType::Boolean, false),
    ];
    let table = table_schema(stream);
    let fields = table.fields().iter().cloned();
    Arc::new(Schema::new(fields.chain(validity.map(Arc::new)).collect::<Vec<_>>()))
}

/// One line on a column of [`table_schema`] or [`history_schema`].
pub fn column_documentation(stream: &Stream, name: &str) -> Option<&'static str> {
    match stream.fields.iter().find(|field| field.name == name) {
        Some(field) => Some(field.documentation),
        None => product_column(name).map(|column| column.documentation),
    }
}

/// The number by which Parquet files and Iceberg know a column of [`table_schema`] or [`history_schema`]. Declared fields are
/// numbered from 1 on, so a new field is declared behind the others.
pub fn field_id(stream: &Stream, name: &str) -> Option<i32> {
    match stream.fields.iter().position(|field| field.name == name) {
        Some(position) => i32::try_from(position + 1).ok(),
        None => product_column(name).map(|column| column.field_id),
    }
}

fn product_column(name: &str) -> Option<&'static ProductColumn> {
    PRODUCT_COLUMNS.iter().find(|column| column.name == name)
}

/// The schema of a batch: the selected fields in declared order, `_extra` (JSON text) if selected, and
/// [`NULLED`] last.
pub fn schema(stream: &Stream, selection: &Selection) -> SchemaRef {
    let mut fields: Vec<Field> = selection
        .fields
        .iter()
        .map(|&index| &stream.fields[index])
        .map(|field| Field::new(field.name, data_type(field.kind), field.is_nullable()))
        .collect();
    if selection.extra {
        fields.push(Field::new(EXTRA, DataType::Utf8, true));
    }
    fields.push(Field::new(NULLED, DataType::UInt64, false));
    Arc::new(Schema::new(fields))
}
