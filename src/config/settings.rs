//! The settings, declared once. Parsing, Airbyte's specification and the documentation are read from
//! this table.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::fields;

/// What a setting accepts.
#[derive(Debug, Clone, Copy)]
pub enum Accepts {
    /// Text that is never shown.
    Secret {
        /// Characters at the least.
        least: usize,
        /// Whether there is nothing to do without it.
        is_required: bool,
    },
    /// Names of fields, with commas between them.
    Fields {
        /// Whether only fields that are text are accepted.
        only_text: bool,
    },
    /// Text of at most this many characters.
    Text {
        /// Characters at the most.
        most: usize,
    },
    /// A whole number without a sign, kept as its digits.
    Digits {
        /// Digits at the most.
        most: usize,
    },
    /// A whole number in a range.
    Integer {
        /// The least value accepted.
        least: u64,
        /// The greatest value accepted.
        most: u64,
        /// The value where none is given.
        default: Option<u64>,
    },
    /// True or false.
    Boolean {
        /// The value where none is given.
        default: bool,
    },
    /// A day, `YYYY-MM-DD`.
    Date,
    /// An IANA time zone; `UTC` where none is given.
    Zone,
    /// A URL: HTTPS, or HTTP on loopback.
    Url {
        /// The value where none is given.
        default: &'static str,
    },
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its key in the configuration.
    pub key: &'static str,
    /// What a form calls it.
    pub title: &'static str,
    /// What it means.
    pub description: &'static str,
    /// What it accepts.
    pub accepts: Accepts,
    /// An example, where one helps.
    pub example: Option<&'static str>,
}

/// The API's address where the user names no other.
pub const DEFAULT_BASE_URL: &str = "https://api.kometsales.com/api";

/// A number of hours, seconds or records so large that a larger one is a mistake.
const A_DAY_OF_SECONDS: u64 = 86_400;

/// Every setting, in the order of a form.
pub static SETTINGS: &[Setting] = &[
    Setting {
        key: "authentication_token",
        title: "Authentication Token",
        description: "The Komet Sales security token, of a company or a vendor. It must be allowed to call customer.list.",
        accepts: Accepts::Secret { least: 8, is_required: true },
        example: None,
    },
    Setting {
        key: "start_date",
        title: "Start Date",
        description: "Customers last updated before this day are not read. Leave empty to read all.",
        accepts: Accepts::Date,
        example: Some("2024-01-01"),
    },
    Setting {
        key: "include_inactive",
        title: "Include Inactive",
        description: "Also read deactivated customers. Without them a customer who is deactivated stays active in the destination.",
        accepts: Accepts::Boolean { default: true },
        example: None,
    },
    Setting {
        key: "timezone",
        title: "Time Zone",
        description: "The IANA name of the zone in which Komet Sales writes updatedOn, which carries none.",
        accepts: Accepts::Zone,
        example: Some("America/Bogota"),
    },
    Setting {
        key: "lookback_hours",
        title: "Look-back (Hours)",
        description: "How far before its cursor an incremental read starts again, so that late changes are not missed.",
        accepts: Accepts::Integer { least: 0, most: 720, default: Some(1) },
        example: None,
    },
    Setting {
        key: "customer_id",
        title: "Customer ID",
        description: "Read only the customer with this Komet Sales number.",
        accepts: Accepts::Digits { most: 20 },
        example: Some("25475"),
    },
    Setting {
        key: "sales_person_id",
        title: "Salesperson ID",
        description: "Read only the customers of the salesperson with this Komet Sales number.",
        accepts: Accepts::Digits { most: 20 },
        example: Some("1819"),
    },
    Setting {
        key: "location_id",
        title: "Location ID",
        description: "Read only the customers of this location. For companies with several locations.",
        accepts: Accepts::Digits { most: 20 },
        example: Some("7"),
    },
    Setting {
        key: "name",
        title: "Name",
        description: "Read only the customers whose name contains this text.",
        accepts: Accepts::Text { most: 200 },
        example: Some("Flores"),
    },
    Setting {
        key: "code",
        title: "Code",
        description: "Read only the customer with this code.",
        accepts: Accepts::Text { most: 10 },
        example: Some("T3526"),
    },
    Setting {
        key: "max_rejects",
        title: "Maximum Rejected Records",
        description: "At most this many records without a valid id are skipped; more fail the read. Without a value none for Airbyte, Singer and streams, and any number for tables and files, which keep them.",
        accepts: Accepts::Integer { least: 0, most: i64::MAX as u64, default: None },
        example: Some("0"),
    },
    Setting {
        key: "full_list_hours",
        title: "Whole List After (Hours)",
        description: "An incremental read asks for the whole list where the last whole one is this old. Deletes, and changes that do not move updatedOn, are seen then. 0 is every time. Without a value never for Airbyte and Singer, and 168 for tables. No effect with a filter, a start date or without inactive customers.",
        accepts: Accepts::Integer { least: 0, most: 8760, default: None },
        example: Some("168"),
    },
    Setting {
        key: "exclude_fields",
        title: "Excluded Fields",
        description: "These fields are in no output. Unknown fields and the content of rejected records are left out too.",
        accepts: Accepts::Fields { only_text: false },
        example: Some("salesPerson,salesPersonId"),
    },
    Setting {
        key: "hash_fields",
        title: "Hashed Fields",
        description: "In place of these text fields go their hashes: HMAC-SHA-256 of the value, in hexadecimal digits. Unknown fields and the content of rejected records are left out.",
        accepts: Accepts::Fields { only_text: true },
        example: Some("name,accountingCode"),
    },
    Setting {
        key: "hash_key",
        title: "Hash Key",
        description: "The secret under which fields are hashed. Needed where hash_fields is set; another key gives other hashes.",
        accepts: Accepts::Secret { least: 16, is_required: false },
        example: None,
    },
    Setting {
        key: "base_url",
        title: "Base URL",
        description: "Where the API is. HTTPS, or HTTP on loopback.",
        accepts: Accepts::Url { default: DEFAULT_BASE_URL },
        example: None,
    },
    Setting {
        key: "request_timeout_seconds",
        title: "Request Timeout (Seconds)",
        description: "How long one request may take, from the connection to the last byte.",
        accepts: Accepts::Integer { least: 1, most: A_DAY_OF_SECONDS, default: Some(300) },
        example: None,
    },
    Setting {
        key: "retry_window_seconds",
        title: "Retry Window (Seconds)",
        description: "For how long a request that failed for a passing reason is sent again. 0 sends it once.",
        accepts: Accepts::Integer { least: 0, most: A_DAY_OF_SECONDS, default: Some(300) },
        example: None,
    },
];

/// The setting of a key.
pub fn setting(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The one of some names that was probably meant by another.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const MIN_SIMILARITY: f64 = 0.85;
    known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .max_by(|one, two| one.0.total_cmp(&two.0))
        .filter(|(similarity, _)| *similarity > MIN_SIMILARITY)
        .map(|(_, known)| known)
}

impl Setting {
    /// Whether a configuration must have it.
    pub fn is_required(&self) -> bool {
        matches!(self.accepts, Accepts::Secret { is_required: true, .. })
    }

    /// Whether its value is never shown, and so is no argument of a command either.
    pub fn is_secret(&self) -> bool {
        matches!(self.accepts, Accepts::Secret { .. })
    }

    /// The first sentence of its description, for a short help.
    pub fn summary(&self) -> &'static str {
        let sentence = self.description.split_once(". ").map(|(first, _)| first);
        sentence.unwrap_or(self.description).trim_end_matches('.')
    }

    /// Its description, its variable and its default, for a long help.
    pub fn help(&self, variable: &str) -> String {
        let default = match self.default() {
            Some(Value::String(text)) => format!(" [default: {text}]"),
            Some(value) => format!(" [default: {value}]"),
            None => String::new(),
        };
        format!("{} [env: {variable}]{default}", self.description)
    }

    /// What is accepted, in words that follow "expected".
    pub fn expectation(&self) -> String {
        match self.accepts {
            Accepts::Secret { is_required: true, .. } => {
                "the token that Komet Sales issued, as text".into()
            }
            Accepts::Secret { least, .. } => {
                format!("a secret text of at least {least} characters")
            }
            Accepts::Fields { only_text } => fields::expectation(only_text),
            Accepts::Text { most } => format!("text of at most {most} characters"),
            Accepts::Digits { most } => format!("a whole number of at most {most} digits"),
            Accepts::Integer { least, most, .. } => {
                format!("a whole number from {least} to {most}")
            }
            Accepts::Boolean { .. } => "true or false".into(),
            Accepts::Date => "a day as YYYY-MM-DD, for example 2024-01-31".into(),
            Accepts::Zone => "the IANA name of a time zone, for example America/Bogota".into(),
            Accepts::Url { .. } => "https:// without user or query (http on loopback)".into(),
        }
    }

    /// The type in words, for documentation.
    fn kind(&self) -> &'static str {
        match self.accepts {
            Accepts::Secret { .. } => "text, secret",
            Accepts::Fields { .. } => "text, field names with commas",
            Accepts::Text { .. } | Accepts::Zone | Accepts::Url { .. } => "text",
            Accepts::Digits { .. } | Accepts::Integer { .. } => "integer",
            Accepts::Boolean { .. } => "boolean",
            Accepts::Date => "date",
        }
    }

    /// The value where none is given, if there is one.
    pub fn default(&self) -> Option<Value> {
        match self.accepts {
            Accepts::Integer { default, .. } => default.map(Value::from),
            Accepts::Boolean { default } => Some(default.into()),
            Accepts::Zone => Some("UTC".into()),
            Accepts::Url { default } => Some(default.into()),
            _ => None,
        }
    }

    fn property(&self, order: usize) -> Value {
        let kind = match self.accepts {
            Accepts::Digits { .. } | Accepts::Integer { .. } => "integer",
            Accepts::Boolean { .. } => "boolean",
            _ => "string",
        };
        let mut property = Map::new();
        let mut put = |key: &str, value: Value| property.insert(key.into(), value);
        put("type", kind.into());
        put("title", self.title.into());
        put("description", self.description.into());
        put("order", order.into());
        match self.accepts {
            Accepts::Secret { least, .. } => {
                put("airbyte_secret", true.into());
                put("minLength", least.into());
            }
            Accepts::Text { most } => {
                put("maxLength", most.into());
            }
            Accepts::Digits { .. } => {
                put("minimum", 0.into());
            }
            Accepts::Integer { least, most, .. } => {
                put("minimum", least.into());
                put("maximum", most.into());
            }
            Accepts::Date => {
                put("format", "date".into());
                put("pattern", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$".into());
                put("pattern_descriptor", "YYYY-MM-DD".into());
            }
            Accepts::Url { .. } => {
                put("pattern", r"^https?://".into());
                put("pattern_descriptor", "https://…".into());
            }
            Accepts::Boolean { .. } | Accepts::Zone | Accepts::Fields { .. } => {}
        }
        if let Some(default) = self.default() {
            put("default", default);
        }
        if let Some(example) = self.example {
            let example = match example.parse::<u64>() {
                Ok(number) if kind == "integer" => json!(number),
                _ => json!(example),
            };
            put("examples", json!([example]));
        }
        Value::Object(property)
    }
}

/// The JSON schema of a configuration: Airbyte's `connectionSpecification`
/// (`connector-specification-reference.md`).
pub fn json_schema() -> Value {
    let properties: Map<String, Value> = SETTINGS
        .iter()
        .enumerate()
        .map(|(order, setting)| (setting.key.to_owned(), setting.property(order)))
        .collect();
    let required: Vec<&str> = SETTINGS
        .iter()
        .filter(|setting| setting.is_required())
        .map(|setting| setting.key)
        .collect();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Komet Sales",
        "type": "object",
        "required": required,
        "additionalProperties": true,
        "properties": properties,
    })
}

/// A Markdown table of the settings: key, type, default, meaning.
pub fn markdown() -> String {
    let mut table = String::from("| key | type | default | meaning |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        let default = match setting.default() {
            _ if setting.is_required() => "required".to_owned(),
            None => String::new(),
            Some(Value::String(text)) => format!("`{text}`"),
            Some(value) => format!("`{value}`"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| `{}` | {} | {default} | {} |",
            setting.key,
            setting.kind(),
            setting.description
        );
    }
    table
}
