//! Where settings come from: a flag of the command, a variable of the environment, a file. What an earlier one of
//! these says counts. All three are read from the one table of settings.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use serde_json::json;

use super::environment::{Environment, not_text};
use crate::config::settings::{Accepts, SETTINGS, Setting, nearest};
use crate::config::{Config, UnknownKeys};
use crate::error::{Error, Result};
use crate::input::Input;

/// What settings are called in the environment, before their keys in capitals.
pub(super) const PREFIX: &str = "KOMETSALES_";

/// What follows the name of a secret where the variable names a file that holds it.
pub(super) const FILE: &str = "_FILE";

/// Parts of the variables that Kubernetes makes for a service called `kometsales`.
const OF_KUBERNETES: [&str; 2] = ["_SERVICE_", "_PORT"];

/// A configuration (JSON), and what it is called in messages.
pub(super) type Part = (Vec<u8>, String);

/// The settings that have a flag, each with its name. A secret has none: every user of a machine sees what a
/// program was called with.
static FLAGS: LazyLock<Vec<(&'static Setting, String)>> = LazyLock::new(|| {
    let public = SETTINGS.iter().filter(|setting| !setting.is_secret());
    public.map(|setting| (setting, setting.key.replace('_', "-"))).collect()
});

/// The settings that were given as flags, by their keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Flags(Vec<(&'static str, String)>);

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let flags = FLAGS.iter().map(|(setting, long)| {
            let arg = Arg::new(setting.key)
                .long(long.as_str())
                .value_name(value_name(setting))
                .help(setting.summary())
                .long_help(setting.help(&variable(setting)))
                .help_heading("Settings");
            match setting.accepts {
                Accepts::Boolean { .. } => arg.num_args(0..=1).default_missing_value("true"),
                _ => arg,
            }
        });
        command.args(flags)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = FLAGS.iter().filter_map(|(setting, _)| {
            Some((setting.key, matches.get_one::<String>(setting.key)?.clone()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Flags {
    /// Whether none was given.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The configuration of a command for people, and warnings.
    ///
    /// # Errors
    /// `Config`: a file or a variable cannot be read, there is no token, or a value is not accepted.
    pub(super) fn config(
        &self,
        files: &[PathBuf],
        unknown_keys: UnknownKeys,
    ) -> Result<(Config, Vec<String>)> {
        let (parts, mut warnings) = self.parts(files)?;
        let is_token = |(_, origin): &Part| origin.starts_with(TOKEN);
        if files.is_empty() && !parts.iter().any(is_token) {
            return Err(Error::config(
                "No token was given. Set KOMETSALES_AUTHENTICATION_TOKEN, or name a file by --config with {\"authentication_token\": \"…\"}.",
            ));
        }
        let (config, unknown) = Config::merge(&parts, &[], unknown_keys)?;
        warnings.extend(unknown);
        Ok((config, warnings))
    }

    /// The files, the variables and the flags, each with its origin, in the order in which a later one counts; and
    /// warnings of variables that are not known.
    ///
    /// # Errors
    /// `Config`: a file or a variable cannot be read.
    pub(super) fn parts(&self, files: &[PathBuf]) -> Result<(Vec<Part>, Vec<String>)> {
        let file = |path: &PathBuf| {
            let input = Input::of(path);
            Ok((input.read("configuration")?, input.name()))
        };
        let mut parts = files.iter().map(file).collect::<Result<Vec<Part>>>()?;
        let variables = Environment::beginning_with(PREFIX);
        parts.extend(of_environment(&variables)?);
        let flags = self.0.iter().map(|(key, value)| {
            let flag = FLAGS.iter().find(|(setting, _)| setting.key == *key);
            let flag = flag.map(|(_, long)| format!("--{long}")).unwrap_or_default();
            part(key, value, flag)
        });
        parts.extend(flags);
        Ok((parts, unknown(&variables)))
    }
}

/// The variable of the token.
const TOKEN: &str = "KOMETSALES_AUTHENTICATION_TOKEN";

/// What a setting is called in the environment.
pub(super) fn variable(setting: &Setting) -> String {
    format!("{PREFIX}{}", setting.key.to_ascii_uppercase())
}

fn part(key: &str, value: &str, origin: String) -> Part {
    (json!({ key: value }).to_string().into_bytes(), origin)
}

fn value_name(setting: &Setting) -> &'static str {
    match setting.accepts {
        Accepts::Date => "DAY",
        Accepts::Zone => "ZONE",
        Accepts::Url { .. } => "URL",
        Accepts::Boolean { .. } => "true|false",
        Accepts::Digits { .. } | Accepts::Integer { .. } => "N",
        Accepts::Fields { .. } => "FIELDS",
        _ => "TEXT",
    }
}

/// What the environment says of settings: a variable each, and for a secret a file that holds it.
fn of_environment(variables: &[(OsString, OsString)]) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for setting in SETTINGS {
        let name = variable(setting);
        let value = text_of(variables, &name)?;
        if let Some(value) = &value {
            parts.push(part(setting.key, value, name.clone()));
        }
        let by_file = format!("{name}{FILE}");
        let path = path_of(variables, &by_file).filter(|_| setting.is_secret());
        let Some(path) = path else { continue };
        if value.is_some() {
            return Err(Error::config(format!(
                "{name} and {by_file} are both set, so it is open which one counts. Unset one of them."
            )));
        }
        let secret = Input::File(Path::new(path).to_owned()).read_secret(&by_file)?;
        parts.push(part(setting.key, &secret, by_file));
    }
    Ok(parts)
}

/// A variable that says something.
fn path_of<'a>(variables: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsString> {
    let found = variables.iter().find(|(own, _)| own == name);
    found.map(|(_, value)| value).filter(|value| !value.is_empty())
}

fn text_of<'a>(variables: &'a [(OsString, OsString)], name: &str) -> Result<Option<&'a str>> {
    let Some(value) = path_of(variables, name) else { return Ok(None) };
    value.to_str().map(Some).ok_or_else(|| not_text(name))
}

/// A warning for each variable that looks like a setting and is none.
fn unknown(variables: &[(OsString, OsString)]) -> Vec<String> {
    let names = SETTINGS.iter().map(variable);
    let files = SETTINGS.iter().filter(|setting| setting.is_secret());
    let known: Vec<String> = names.chain(files.map(|setting| variable(setting) + FILE)).collect();
    let mut warnings = Vec::new();
    for (name, _) in variables {
        let name = name.to_string_lossy();
        if known.iter().any(|known| *known == name)
            || OF_KUBERNETES.iter().any(|part| name.contains(part))
        {
            continue;
        }
        // What all variables begin with makes none of them alike.
        let without_prefix = known.iter().filter_map(|known| known.strip_prefix(PREFIX));
        let likely = nearest(name.strip_prefix(PREFIX).unwrap_or(&name), without_prefix);
        let likely = likely.map(|name| format!(" (did you mean `{PREFIX}{name}`?)"));
        let likely = likely.unwrap_or_default();
        warnings.push(format!(
            "`{}` is not the variable of a setting{likely}. It is ignored.",
            name.escape_debug()
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(names: &[&str]) -> Vec<String> {
        let set = |name: &&str| (OsString::from(name), OsString::from("a-value-of-somebody"));
        unknown(&names.iter().map(set).collect::<Vec<_>>())
    }

    #[test]
    fn a_variable_that_is_no_setting_is_a_warning_with_the_nearest_name() {
        assert_eq!(
            warned(&["KOMETSALES_TIME_ZONE", "KOMETSALES_TIMEZONE", "KOMETSALES_ZZZZ"]),
            [
                "`KOMETSALES_TIME_ZONE` is not the variable of a setting (did you mean `KOMETSALES_TIMEZONE`?). It is ignored.",
                "`KOMETSALES_ZZZZ` is not the variable of a setting. It is ignored.",
            ]
        );
        let token = warned(&["KOMETSALES_AUTHENTICATION_TOKENFILE"]);
        assert!(token[0].contains("`KOMETSALES_AUTHENTICATION_TOKEN_FILE`?"), "{token:?}");
        // A file is for secrets alone.
        assert_eq!(warned(&["KOMETSALES_TIMEZONE_FILE"]).len(), 1);
    }

    #[test]
    fn the_variables_that_kubernetes_makes_for_a_service_are_no_settings() {
        let made = [
            "KOMETSALES_SERVICE_HOST",
            "KOMETSALES_SERVICE_PORT",
            "KOMETSALES_SERVICE_PORT_HTTP",
            "KOMETSALES_PORT",
            "KOMETSALES_PORT_8080_TCP_ADDR",
        ];
        assert_eq!(warned(&made), [""; 0]);
    }

    #[test]
    fn no_flag_is_for_a_secret_and_every_other_setting_has_one() {
        let flags: Vec<&str> = FLAGS.iter().map(|(_, long)| long.as_str()).collect();
        assert!(flags.contains(&"start-date") && flags.contains(&"base-url"), "{flags:?}");
        let secrets = SETTINGS.iter().filter(|setting| setting.is_secret());
        assert_eq!(flags.len() + secrets.count(), SETTINGS.len());
        assert!(!flags.contains(&"authentication-token"));
    }
}
