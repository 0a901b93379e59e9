//! What a configuration says of fields that may be people's, and of secrets.

use std::collections::BTreeSet;

use super::fields::{self, EXCLUDE, HASH, KEY};
use super::privacy::Privacy;
use super::settings::{self, Accepts};
use super::token;
use super::{Values, members};
use crate::error::{Error, Result};
use crate::secret::HashKey;

/// Which fields the schema has for a host that asks for the schema alone: by configurations that need be neither
/// valid nor there. The key of hashes is not looked for.
///
/// # Errors
/// `Config`: the fields that they name are not accepted, so it is not known which ones are meant.
pub fn privacy_of_schema(parts: &[(Vec<u8>, String)]) -> Result<Privacy> {
    let mut values = Values::default();
    let readable = parts.iter().filter_map(|(json, origin)| members(json, origin).ok());
    let given = readable.flatten().filter(|(_, value)| !matches!(value.get(), "null" | r#""""#));
    values.members.extend(given);
    let (excluded, hashed) = values.excluded_and_hashed();
    if values.faults.is_empty() {
        return Ok(Privacy::new(excluded, hashed, None));
    }
    Err(Error::config(format!("The configuration is wrong: {}.", values.faults.join("; "))))
}

impl Values {
    /// The value of a secret, where it is given, whatever is wrong with it but its being too short.
    pub(super) fn secret(&mut self, key: &'static str) -> Option<String> {
        let Accepts::Secret { least, .. } = settings::setting(key)?.accepts else { return None };
        let secret = self.text(key).filter(|secret| !secret.trim().is_empty())?;
        if let Some(fault) = token::fault(&secret, least) {
            self.fault(key, &fault);
        }
        // What is too short is a part of many words: it would be cut out of all of them.
        Some(secret).filter(|secret| secret.chars().count() >= least)
    }

    /// The fields that are left out, and those that are hashed under the key.
    pub(super) fn privacy(&mut self, hash_key: Option<HashKey>) -> Privacy {
        let (excluded, hashed) = self.excluded_and_hashed();
        let is_key_at_fault = self.keys_at_fault.contains(&KEY);
        if hash_key.is_none() && !hashed.is_empty() && !is_key_at_fault {
            self.fault(KEY, &format!("is missing, and `{HASH}` needs it"));
        }
        Privacy::new(excluded, hashed, hash_key)
    }

    fn excluded_and_hashed(&mut self) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
        let (excluded, hashed) = (self.fields(EXCLUDE), self.fields(HASH));
        for both in excluded.intersection(&hashed) {
            self.fault(HASH, &format!("names `{both}`, which `{EXCLUDE}` leaves out"));
        }
        (excluded, hashed)
    }

    /// The fields that a setting names.
    fn fields(&mut self, key: &'static str) -> BTreeSet<&'static str> {
        let text = self.text(key).unwrap_or_default();
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let fields: Vec<_> = names.map(|name| fields::named(key, name)).collect();
        let accepted = fields
            .into_iter()
            .filter_map(|field| field.map_err(|fault| self.fault(key, &fault)).ok());
        accepted.collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn parse(members: &str) -> Result<(Config, Vec<String>), String> {
        let json = format!(r#"{{"authentication_token": "s3cr3t-t0k3n", {members}}}"#);
        Config::parse(json.as_bytes(), "config.json").map_err(|error| error.to_string())
    }

    #[test]
    fn names_of_fields_are_taken_with_blanks_and_in_any_order() {
        let (config, warnings) = parse(
            r#""exclude_fields": " salesPerson ,salesPersonId,", "hash_fields": "name", "hash_key": "0123456789abcdef""#,
        )
        .unwrap();
        assert!(warnings.is_empty());
        let excluded: Vec<&str> = config.privacy.excluded().collect();
        assert_eq!(excluded, ["salesPerson", "salesPersonId", "_extra"]);
        assert!(config.privacy.hashes("name") && config.privacy.hasher("name").is_some());
        assert!(config.privacy.hasher("code").is_none());
        let (config, _) = parse(r#""exclude_fields": "_extra""#).unwrap();
        assert_eq!(config.privacy.excluded().collect::<Vec<_>>(), ["_extra"]);
        assert!(!parse(r#""exclude_fields": " , ""#).unwrap().0.privacy.is_set());
    }

    #[test]
    fn what_cannot_be_left_out_or_hashed_is_refused_with_what_can() {
        let key = r#", "hash_key": "0123456789abcdef""#;
        let text = "accountingCode, name, code, salesPerson, customerType";
        for (members, part) in [
            (r#""exclude_fields": "id""#, "names `id`, which every output needs"),
            (r#""exclude_fields": "updatedOn""#, "names `updatedOn`"),
            (r#""exclude_fields": "nmae""#, "unknown field `nmae` (did you mean `name`?)"),
            (r#""exclude_fields": "ACTIVE""#, "(did you mean `active`?)"),
            (r#""exclude_fields": "_extracted_at""#, "unknown field `_extracted_at`"),
            (r#""exclude_fields": "name;code""#, "salesPersonId, customerType"),
            (r#""exclude_fields": ["name"]"#, "fields with commas between them"),
            (&format!(r#""hash_fields": "id"{key}"#), "names `id`"),
            (&format!(r#""hash_fields": "active"{key}"#), "`active`, which is not a text field"),
            (&format!(r#""hash_fields": "salesPersonId"{key}"#), text),
            (&format!(r#""hash_fields": "_extra"{key}"#), "`_extra`, which is not a text field"),
            (&format!(r#""hash_fields": "coed"{key}"#), "did you mean `code`?"),
            (
                &format!(r#""hash_fields": "name", "exclude_fields": "name"{key}"#),
                "names `name`, which `exclude_fields` leaves out",
            ),
            (r#""hash_fields": "name""#, "`hash_key` is missing, and `hash_fields` needs it"),
            (r#""hash_fields": "name", "hash_key": """#, "`hash_key` is missing"),
            (r#""hash_fields": "name", "hash_key": "   ""#, "`hash_key` is missing"),
        ] {
            let fault = parse(members).unwrap_err();
            assert!(fault.contains(part), "{members}: {fault}");
        }
    }

    #[test]
    fn a_key_is_never_shown_and_has_16_characters() {
        for (key, part) in [
            ("fifteen-letters", "shorter than 16 characters"),
            (" sixteen-letters ", "blanks around it"),
            ("'sixteen-letters'", "quotes around it"),
            (&"x".repeat(201), "longer than 200 bytes"),
        ] {
            let fault =
                parse(&format!(r#""hash_fields": "name", "hash_key": "{key}""#)).unwrap_err();
            assert!(fault.contains(part) && !fault.contains(key.trim()), "{fault}");
            assert_eq!(fault.matches("hash_key").count(), 1, "{fault}");
        }
        let fault = parse(r#""hash_key": 1234567890123456"#).unwrap_err();
        assert!(fault.contains("`hash_key`") && !fault.contains("1234"), "{fault}");
        let fault = parse(r#""hash_key": "0123456789abcdef", "code": "0123456789abcdef""#);
        assert!(!fault.unwrap_err().contains("0123456789abcdef"));
        let (config, _) =
            parse(r#""hash_fields": "name", "hash_key": "0123456789abcdef""#).unwrap();
        assert!(!format!("{config:?}").contains("0123456789abcdef"));
    }

    #[test]
    fn a_key_without_anything_to_hash_is_warned_of() {
        let (_, warnings) = parse(r#""hash_key": "0123456789abcdef""#).unwrap();
        assert!(warnings[0].contains("nothing is hashed"), "{warnings:?}");
    }

    #[test]
    fn a_schema_is_asked_for_with_a_configuration_that_need_not_be_whole() {
        let asked = |json: &str| {
            super::privacy_of_schema(&[(json.as_bytes().to_vec(), "config.json".to_owned())])
        };
        for json in ["", "[]", "{}", r#"{"exclude_fields": null, "lookback_hours": "x"}"#] {
            assert!(!asked(json).unwrap().is_set(), "{json}");
        }
        let privacy = asked(r#"{"exclude_fields": "name", "hash_fields": "code"}"#).unwrap();
        assert!(privacy.excludes("name") && privacy.hashes("code"));
        assert!(asked(r#"{"exclude_fields": "nmae"}"#).is_err());
    }
}
