//! The plugin definition that Meltano reads, in YAML.

use serde_json::{Value, json};

use super::{ACTIVATE_VERSIONS, ACTIVATE_VERSIONS_DESCRIPTION, CAPABILITIES};
use crate::config::settings::{Accepts, SETTINGS, Setting};

/// Where Meltano gets the tap from, if nobody says: the package of this version.
pub fn package() -> String {
    format!("kometsales=={}", env!("CARGO_PKG_VERSION"))
}

/// The definition of the tap. `pip_url` is what Meltano hands to pip.
pub fn definition(pip_url: &str) -> String {
    let mut text = String::from(
        "# The plugin definition of tap-kometsales, for a project of your own:\n\
         #\n\
         #   meltano add --plugin-type extractor tap-kometsales --from-ref tap-kometsales.yml\n\
         #\n\
         # Generated: kometsales generate meltano [--pip-url URL]\n",
    );
    let mut line = |indent: &str, key: &str, value: Value| {
        text.push_str(&format!("{indent}{key}: {value}\n"));
    };
    line("", "name", "tap-kometsales".into());
    line("", "namespace", "tap_kometsales".into());
    line("", "variant", "kometsales".into());
    line("", "label", "Komet Sales".into());
    line("", "description", "Customers of a flower company, from Komet Sales".into());
    line("", "pip_url", pip_url.into());
    line("", "executable", "kometsales".into());
    line("", "quality", "unknown".into());
    line("", "capabilities", json!(CAPABILITIES));
    let required = SETTINGS.iter().filter(|setting| setting.is_required());
    let required: Vec<&str> = required.map(|setting| setting.key).collect();
    line("", "settings_group_validation", json!([required]));
    text.push_str("settings:\n");
    for setting in SETTINGS {
        text.push_str(&entry(setting));
    }
    text.push_str(&format!(
        "- name: \"{ACTIVATE_VERSIONS}\"\n  label: \"Emit ACTIVATE_VERSION\"\n  description: {}\n  kind: \"boolean\"\n  value: false\n",
        Value::from(ACTIVATE_VERSIONS_DESCRIPTION)
    ));
    text
}

fn entry(setting: &Setting) -> String {
    let kind = match setting.accepts {
        Accepts::Digits { .. } | Accepts::Integer { .. } => "integer",
        Accepts::Boolean { .. } => "boolean",
        Accepts::Date => "date_iso8601",
        _ => "string",
    };
    let mut members = vec![
        ("name", Value::from(setting.key)),
        ("label", setting.title.into()),
        ("description", setting.description.into()),
        ("kind", kind.into()),
    ];
    if setting.is_secret() {
        members.push(("sensitive", true.into()));
    }
    members.extend(setting.default().map(|default| ("value", default)));
    members.extend(setting.example.map(|example| ("placeholder", example.into())));
    let lines = members.iter().enumerate().map(|(at, (key, value))| {
        let indent = if at == 0 { "- " } else { "  " };
        format!("{indent}{key}: {value}\n")
    });
    lines.collect()
}
