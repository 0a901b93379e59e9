//! A stream as a value: one table of fields from which everything else is derived.

/// The name of the field that holds what this version does not know, as one JSON object.
pub const EXTRA: &str = "_extra";

/// One line on [`EXTRA`] for schemas and documentation.
pub const EXTRA_DOCUMENTATION: &str =
    "Fields that this version of the connector does not know, as they came.";

/// As many fields as one stream may declare: one bit each in the column of nulled values.
const MOST_FIELDS: usize = 62;

/// The type of a field, wherever it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text of any length, neither trimmed nor normalised.
    Text,
    /// A whole number of 64 bits with a sign; also read from text.
    Integer,
    /// True or false; also read from 1, 0 and text.
    Boolean,
    /// An instant in microseconds; read from local time without an offset or with one.
    Timestamp,
}

/// What a field is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Identifies a record. Never null.
    Key,
    /// When the record was last changed: what an incremental read goes by.
    Cursor,
    /// Carried as it comes.
    Plain,
}

/// One field of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// As the API spells it.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// What it is for.
    pub role: Role,
    /// One line for schemas and documentation.
    pub documentation: &'static str,
}

impl Field {
    /// The field that identifies a record: a whole number, never null.
    pub const fn key(name: &'static str, kind: Type, documentation: &'static str) -> Self {
        Self { name, kind, role: Role::Key, documentation }
    }

    /// The field that says when the record was last changed.
    pub const fn cursor(name: &'static str, kind: Type, documentation: &'static str) -> Self {
        Self { name, kind, role: Role::Cursor, documentation }
    }

    /// A field that may be absent or null.
    pub const fn nullable(name: &'static str, kind: Type, documentation: &'static str) -> Self {
        Self { name, kind, role: Role::Plain, documentation }
    }

    /// True for every field but the key.
    pub const fn is_nullable(&self) -> bool {
        !matches!(self.role, Role::Key)
    }
}

/// A filter that the API method takes, and the setting that the user gives it by.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    /// The key in the configuration.
    pub setting: &'static str,
    /// The query parameter of the API method.
    pub parameter: &'static str,
}

/// What a stream is declared with: see [`Stream::new`].
#[derive(Debug, Clone, Copy)]
pub struct Declaration {
    /// The name that hosts and tables know it by.
    pub name: &'static str,
    /// The API method, the last segment of the URL: `customer.list`.
    pub method: &'static str,
    /// The member of the reply that holds the records: `customers`.
    pub list: &'static str,
    /// What one record is called in messages: `customer`.
    pub record: &'static str,
    /// One line for documentation.
    pub documentation: &'static str,
    /// Its fields, in the order in which they are shown.
    pub fields: &'static [Field],
    /// The filters that the method takes.
    pub filters: &'static [Filter],
}

/// One list of the API, declared once. See `streams/`.
///
/// A declaration that cannot work does not compile. A key that may be null, for instance:
///
/// ```compile_fail,E0080
/// use kometsales::model::stream::{Declaration, Field, Stream, Type};
/// static ORDERS: Stream = Stream::new(Declaration {
///     name: "orders", method: "order.list", list: "orders", record: "order", documentation: "",
///     fields: &[
///         Field::nullable("id", Type::Integer, ""),
///         Field::cursor("updatedOn", Type::Timestamp, ""),
///     ],
///     filters: &[],
/// });
/// ```
///
/// or a cursor that is no timestamp:
///
/// ```compile_fail,E0080
/// use kometsales::model::stream::{Declaration, Field, Stream, Type};
/// static ORDERS: Stream = Stream::new(Declaration {
///     name: "orders", method: "order.list", list: "orders", record: "order", documentation: "",
///     fields: &[
///         Field::key("id", Type::Integer, ""),
///         Field::cursor("updatedOn", Type::Text, ""),
///     ],
///     filters: &[],
/// });
/// ```
///
/// or a name that stands twice:
///
/// ```compile_fail,E0080
/// use kometsales::model::stream::{Declaration, Field, Stream, Type};
/// static ORDERS: Stream = Stream::new(Declaration {
///     name: "orders", method: "order.list", list: "orders", record: "order", documentation: "",
///     fields: &[
///         Field::key("id", Type::Integer, ""),
///         Field::nullable("id", Type::Text, ""),
///         Field::cursor("updatedOn", Type::Timestamp, ""),
///     ],
///     filters: &[],
/// });
/// ```
///
/// The same with its faults mended compiles:
///
/// ```
/// use kometsales::model::stream::{Declaration, Field, Stream, Type};
/// static ORDERS: Stream = Stream::new(Declaration {
///     name: "orders", method: "order.list", list: "orders", record: "order", documentation: "",
///     fields: &[
///         Field::key("id", Type::Integer, ""),
///         Field::nullable("number", Type::Text, ""),
///         Field::cursor("updatedOn", Type::Timestamp, ""),
///     ],
///     filters: &[],
/// });
/// assert_eq!(ORDERS.cursor().name, "updatedOn");
/// ```
#[derive(Debug)]
pub struct Stream {
    declaration: Declaration,
    key: usize,
    cursor: usize,
}

impl std::ops::Deref for Stream {
    type Target = Declaration;

    fn deref(&self) -> &Declaration {
        &self.declaration
    }
}

impl Stream {
    /// A stream, checked: one whole-number key, one timestamp cursor, no name twice, none that begins
    /// with `_`, and at most 62 fields. Use it in a `static`, where a failed check is a compile error.
    #[expect(clippy::panic, reason = "evaluated by the compiler, where it is a compile error")]
    pub const fn new(declaration: Declaration) -> Self {
        let fields = declaration.fields;
        if fields.len() > MOST_FIELDS {
            panic!("a stream has at most 62 fields");
        }
        let (mut key, mut cursor) = (None, None);
        let mut index = 0;
        while index < fields.len() {
            let field = &fields[index];
            if field.name.is_empty() || field.name.as_bytes()[0] == b'_' {
                panic!("a field has a name, and it does not begin with `_`");
            }
            let mut other = 0;
            while other < index {
                if same(fields[other].name, field.name) {
                    panic!("a field name stands once");
                }
                other += 1;
            }
            match field.role {
                Role::Key if !matches!(field.kind, Type::Integer) || key.is_some() => {
                    panic!("a stream has one key, and it is a whole number")
                }
                Role::Cursor if !matches!(field.kind, Type::Timestamp) || cursor.is_some() => {
                    panic!("a stream has one cursor, and it is a timestamp")
                }
                Role::Key => key = Some(index),
                Role::Cursor => cursor = Some(index),
                Role::Plain => {}
            }
            index += 1;
        }
        match (key, cursor) {
            (Some(key), Some(cursor)) => Self { declaration, key, cursor },
            _ => panic!("a stream has a key and a cursor"),
        }
    }

    /// The field that identifies a record.
    pub const fn key(&self) -> &'static Field {
        &self.declaration.fields[self.key]
    }

    /// The position of the key among the fields.
    pub const fn key_index(&self) -> usize {
        self.key
    }

    /// The field that says when a record was last changed.
    pub const fn cursor(&self) -> &'static Field {
        &self.declaration.fields[self.cursor]
    }

    /// The position of the cursor among the fields.
    pub const fn cursor_index(&self) -> usize {
        self.cursor
    }
}

/// `==` of two texts, which the language does not offer in a `const fn`.
const fn same(one: &str, two: &str) -> bool {
    let (one, two) = (one.as_bytes(), two.as_bytes());
    if one.len() != two.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != two[index] {
            return false;
        }
        index += 1;
    }
    true
}
