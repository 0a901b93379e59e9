//! What is derived from the declarations and kept as files is what the program derives today.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::{Connector, simulator};

/// Every verb that a person can type.
const VERBS: [&str; 7] = ["spec", "check", "discover", "read", "demo", "simulate", "generate"];

fn generate(arguments: &[&str]) -> Answer {
    let answer = Connector::configured(json!({})).run(&[&["generate"], arguments].concat());
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    answer
}

#[track_caller]
fn assert_kept(file: &str, arguments: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let renew = format!("cargo run --quiet -- generate {} > {file}", arguments.join(" "));
    assert!(generate(arguments).text() == kept, "{file} is out of date; renew it: {renew}");
}

#[test]
fn the_kept_schema_is_the_generated_one() {
    assert_kept("schemas/customers.json", &["schema", "customers"]);
    assert_eq!(generate(&["schema"]).stdout, generate(&["schema", "customers"]).stdout);
}

#[test]
fn the_kept_specification_is_the_generated_one() {
    assert_kept("spec/connector.json", &["spec"]);
}

#[test]
fn the_kept_settings_of_the_python_module_are_the_generated_ones() {
    assert_kept("python/kometsales/_settings.py", &["python"]);
}

#[test]
fn the_kept_definition_for_meltano_is_the_generated_one() {
    let wheels = "--no-index --no-deps --find-links $MELTANO_PROJECT_ROOT/wheels kometsales";
    assert_kept("examples/meltano/tap-kometsales.yml", &["meltano", "--pip-url", wheels]);
    let version = format!("pip_url: \"kometsales=={}\"", env!("CARGO_PKG_VERSION"));
    assert!(generate(&["meltano"]).text().contains(&version));
}

#[test]
fn the_manual_page_has_every_command_with_its_flags() {
    let page = generate(&["man"]);
    for part in VERBS.iter().map(|verb| format!(".SH {}", verb.to_uppercase())) {
        assert!(page.text().contains(&part), "{part}");
    }
    for flag in ["full\\-refresh", "timezone", "allow\\-shrink", "fault"] {
        assert!(page.text().contains(&format!("\\-\\-{flag}")), "{flag}");
    }
    assert!(
        page.text().contains(".TH kometsales 1")
            && !page.text().contains("KOMETSALES_AUTHENTICATION_TOKEN=")
    );
}

#[test]
fn the_kept_specification_is_what_spec_answers() {
    let kept: serde_json::Value = serde_json::from_slice(&generate(&["spec"]).stdout).unwrap();
    let answer = Connector::configured(json!({})).run(&["spec"]);
    assert_eq!(answer.messages(), [json!({"type": "SPEC", "spec": kept})]);
}

#[test]
fn the_kept_schema_is_what_discover_answers() {
    let kept: serde_json::Value = serde_json::from_slice(&generate(&["schema"]).stdout).unwrap();
    let answer = Connector::configured(json!({})).run(&["discover", "--config", "config.json"]);
    assert_eq!(answer.messages()[0]["catalog"]["streams"][0]["json_schema"], kept);
}

#[test]
fn the_kept_reference_is_the_generated_one() {
    assert_kept("docs/reference.md", &["docs"]);
}

/// The keys that the reference has below a heading.
fn documented(heading: &str) -> BTreeSet<String> {
    let documentation = generate(&["docs"]);
    let (_, section) = documentation.text().split_once(&format!("### {heading}\n")).unwrap();
    let section = section.split("\n#").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned()).collect()
}

fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_reference_has_every_key_of_json_and_no_other() {
    let simulator = simulator(3);
    let connector = Connector::of(&simulator);
    let said = |arguments: &[&str]| -> Value {
        let answer = connector.run(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&answer.stdout).unwrap()
    };
    let export = ["export", "--config", "config.json", "--to", "lake"];
    let with_seconds = |mut keys: BTreeSet<String>| {
        keys.insert("seconds".to_owned());
        keys
    };
    let dry = said(&[&export[..], &["--dry-run"]].concat());
    assert_eq!(documented("`export --dry-run --json`"), keys(&dry));
    assert_eq!(with_seconds(documented("`export --json`")), keys(&said(&export)));
    let mut of_show = documented("`show --json`");
    assert!(
        of_show.remove("companies"),
        "one table of many companies has it, and this one has not"
    );
    assert_eq!(of_show, keys(&said(&["show", "lake"])));
    assert_eq!(documented("`vacuum --json`"), keys(&said(&["vacuum", "lake"])));
    let failed = said(&["show", "nowhere"]);
    assert_eq!(documented("A failure: `{\"error\": …}`"), keys(&failed["error"]));
}

#[test]
fn the_reference_has_every_command_flag_variable_and_exit_code() {
    let documentation = generate(&["docs"]);
    let text = documentation.text();
    for command in VERBS.iter().chain(&["export", "show", "vacuum"]) {
        assert!(text.contains(&format!("### `kometsales {command}`")), "{command}");
        let help = Connector::configured(json!({})).run(&[command, "--help"]);
        let flags = help.text().split_whitespace().filter(|word| word.starts_with("--"));
        for flag in flags.map(|flag| flag.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())) {
            let is_general = ["--help", "--debug", "--TIMES"].contains(&flag);
            assert!(is_general || text.contains(&format!("`{flag}")), "{command} {flag}");
        }
    }
    let settings = kometsales::config::settings::SETTINGS;
    for setting in settings {
        let key = setting.key.to_uppercase();
        assert!(text.contains(&format!("`KOMETSALES_{key}`")), "{key}");
        assert!(text.contains(&format!("`TAP_KOMETSALES_{key}`")), "{key}");
    }
    for code in ["0", "2", "65", "70", "75", "77", "78", "130, 143"] {
        assert!(text.contains(&format!("\n| {code} | ")), "{code}");
    }
    // What the program reads of the environment is written in capitals in these two files.
    for file in ["src/cli/environment.rs", "src/network.rs"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let source = std::fs::read_to_string(path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        let quoted = source.split('"').skip(1).step_by(2);
        let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
        for name in quoted.filter(|text| text.len() > 3 && text.chars().all(is_name)) {
            assert!(text.contains(name), "{name} of {file}");
        }
    }
}

#[test]
fn the_documentation_names_every_setting_and_every_field() {
    let documentation = generate(&["docs"]);
    let spec: serde_json::Value = serde_json::from_slice(&generate(&["spec"]).stdout).unwrap();
    let schema: serde_json::Value = serde_json::from_slice(&generate(&["schema"]).stdout).unwrap();
    let settings = spec["connectionSpecification"]["properties"].as_object().unwrap();
    let fields = schema["properties"].as_object().unwrap();
    assert_eq!((settings.len(), fields.len()), (18, 10));
    for name in settings.keys().chain(fields.keys()) {
        assert!(documentation.text().contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn completions_of_every_shell_name_every_verb() {
    for shell in ["bash", "zsh", "fish"] {
        let completions = generate(&["completions", shell]);
        for verb in VERBS {
            assert!(completions.text().contains(verb), "{shell} does not know {verb}");
        }
    }
}

#[test]
fn a_stream_that_there_is_not_is_a_configuration_error() {
    let answer = Connector::configured(json!({})).run(&["generate", "schema", "orders"]);
    assert_eq!((answer.code, answer.text()), (Some(78), ""));
    assert!(answer.stderr.contains("`orders`") && answer.stderr.contains("customers"));
}
