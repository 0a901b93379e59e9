//! A stream as a value: one table of fields from which everything else is derived.

/// The name of the field that holds what this version does not know, as one JSON object.
pub const EXTRA: &str = "_extra";

/// One line on [`EXTRA`] for schemas and documentation.
pub const EXTRA_DOCUMENTATION: &str =
    "Fields that this version of the connector does not know, as they came.";

/// Fields that one stream may declare: each has a bit in the column of nulled values.
const MAX_FIELDS: usize = 62;

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
    /// Whether the record is in use: false once it is deactivated.
    Active,
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

    /// The field that says whether a record is in use.
    pub const fn active(name: &'static str, kind: Type, documentation: &'static str) -> Self {
        Self { name, kind, role: Role::Active, documentation }
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
    /// The query parameter that asks for what changed from a day on: `updateAsOf`. `None` where the method
    /// has none, and always sends the whole list.
    pub since: Option<&'static str>,
    /// The query parameter that asks for deactivated records too: `includeInactive`. `None` where the method
    /// has none.
    pub inactive: Option<&'static str>,
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
///     filters: &[], since: None, inactive: None,
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
///     filters: &[], since: None, inactive: None,
/// });
/// ```
///
/// or a name that occurs twice:
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
///     filters: &[], since: None, inactive: None,
/// });
/// ```
///
/// or a method that is asked for what changed, in a stream that does not say what did:
///
/// ```compile_fail,E0080
/// use kometsales::model::stream::{Declaration, Field, Stream, Type};
/// static ORDERS: Stream = Stream::new(Declaration {
///     name: "orders", method: "order.list", list: "orders", record: "order", documentation: "",
///     fields: &[Field::key("id", Type::Integer, "")],
///     filters: &[], since: Some("updateAsOf"), inactive: None,
/// });
/// ```
///
/// The same with its faults repaired compiles:
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
///     filters: &[], since: Some("updateAsOf"), inactive: None,
/// });
/// assert_eq!(ORDERS.cursor().map(|cursor| cursor.name), Some("updatedOn"));
/// ```
///
/// So does a stream without a cursor, which is read whole every time:
///
/// ```
/// use kometsales::model::stream::{Declaration, Field, Stream, Type};
/// static COLORS: Stream = Stream::new(Declaration {
///     name: "colors", method: "color.list", list: "colors", record: "color", documentation: "",
///     fields: &[Field::key("id", Type::Integer, "")],
///     filters: &[], since: None, inactive: None,
/// });
/// assert!(COLORS.cursor().is_none());
/// ```
#[derive(Debug)]
pub struct Stream {
    declaration: Declaration,
    key: usize,
    cursor: Option<usize>,
    active: Option<usize>,
}

impl std::ops::Deref for Stream {
    type Target = Declaration;

    fn deref(&self) -> &Declaration {
        &self.declaration
    }
}

impl Stream {
    /// A stream, checked: one whole-number key, at most one cursor, a timestamp, and at most one field that
    /// says whether a record is in use, a boolean; no name twice, none that begins with `_`, and at most 62
    /// fields. Use it in a `static`, where a failed check is a compile error.
    #[expect(clippy::panic, reason = "evaluated by the compiler, where it is a compile error")]
    pub const fn new(declaration: Declaration) -> Self {
        let fields = declaration.fields;
        if fields.len() > MAX_FIELDS {
            panic!("a stream has at most 62 fields");
        }
        let (mut key, mut cursor, mut active) = (None, None, None);
        let mut index = 0;
        while index < fields.len() {
            let field = &fields[index];
            if field.name.is_empty() || field.name.as_bytes()[0] == b'_' {
                panic!("a field has a name, and it does not begin with `_`");
            }
            let mut other = 0;
            while other < index {
                if same(fields[other].name, field.name) {
                    panic!("a field name occurs once");
                }
                other += 1;
            }
            match field.role {
                Role::Key if !matches!(field.kind, Type::Integer) || key.is_some() => {
                    panic!("a stream has one key, and it is a whole number")
                }
                Role::Cursor if !matches!(field.kind, Type::Timestamp) || cursor.is_some() => {
                    panic!("a stream has at most one cursor, and it is a timestamp")
                }
                Role::Active if !matches!(field.kind, Type::Boolean) || active.is_some() => {
                    panic!("at most one field says whether a record is in use, and it is a boolean")
                }
                Role::Key => key = Some(index),
                Role::Cursor => cursor = Some(index),
                Role::Active => active = Some(index),
                Role::Plain => {}
            }
            index += 1;
        }
        if declaration.since.is_some() && cursor.is_none() {
            panic!("what changed is asked for by a cursor");
        }
        match key {
            Some(key) => Self { declaration, key, cursor, active },
            None => panic!("a stream has a key"),
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

    /// The field that says when a record was last changed; `None` for a stream that is read whole every time.
    pub const fn cursor(&self) -> Option<&'static Field> {
        match self.cursor {
            Some(index) => Some(&self.declaration.fields[index]),
            None => None,
        }
    }

    /// The position of the cursor among the fields.
    pub const fn cursor_index(&self) -> Option<usize> {
        self.cursor
    }

    /// The field that says whether a record is in use.
    pub const fn active(&self) -> Option<&'static Field> {
        match self.active {
            Some(index) => Some(&self.declaration.fields[index]),
            None => None,
        }
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
