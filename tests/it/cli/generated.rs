//! What is derived from the declarations and kept as files is what the program derives today.

use std::path::Path;

use serde_json::json;

use crate::support::Connector;
use crate::support::answer::Answer;

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
    assert_eq!(generate(arguments).text(), kept, "{file} is out of date; renew it: {renew}");
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
fn the_documentation_names_every_setting_and_every_field() {
    let documentation = generate(&["docs"]);
    let spec: serde_json::Value = serde_json::from_slice(&generate(&["spec"]).stdout).unwrap();
    let schema: serde_json::Value = serde_json::from_slice(&generate(&["schema"]).stdout).unwrap();
    let settings = spec["connectionSpecification"]["properties"].as_object().unwrap();
    let fields = schema["properties"].as_object().unwrap();
    assert_eq!((settings.len(), fields.len()), (15, 10));
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
