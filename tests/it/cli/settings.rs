//! Where settings may come from, in each command: every origin with every setting.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use kometsales::config::settings::{Accepts, SETTINGS, Setting};
use kometsales::simulator::Simulator;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::{Connector, NOBODY, at_once, catalog, finish, simulator};

const TOKEN: &str = "KOMETSALES_AUTHENTICATION_TOKEN";
const TOKEN_FILE: &str = "KOMETSALES_AUTHENTICATION_TOKEN_FILE";

/// A value that no setting of its kind accepts.
fn wrong(setting: &Setting) -> String {
    match setting.accepts {
        Accepts::Secret { .. } => "e".to_owned(),
        Accepts::Text { most } => "x".repeat(most + 1),
        _ => "id,no such thing".to_owned(),
    }
}

/// The commands that read settings, each with what follows its name.
const COMMANDS: [&[&str]; 7] = [
    &["export", "--to", "rows.parquet"],
    &["export", "--check"],
    &["check", "--text"],
    &["check"],
    &["read", "--catalog", "catalog.json"],
    &[],
    &["--test"],
];

/// Whether a command is for people, and so takes settings as flags and variables.
fn is_for_people(command: &[&str]) -> bool {
    command.contains(&"export") || command.contains(&"--text")
}

/// The program in a folder with these settings as a file, where there are any.
fn run(
    connector: &Connector,
    command: &[&str],
    file: Option<&Value>,
    environment: &[(&str, &str)],
    flags: &[String],
) -> Answer {
    let mut arguments = command.to_vec();
    if let Some(file) = file {
        connector.write("config.json", file.to_string());
        arguments.extend(["--config", "config.json"]);
    }
    let mut program = connector.command(&arguments);
    program.args(flags).envs(environment.iter().copied());
    finish(program, b"")
}

fn connector(simulator: &Simulator) -> (Connector, Value) {
    let connector = Connector::of(simulator);
    connector.write("catalog.json", catalog("customers", "full_refresh", Value::Null).to_string());
    let file = json!({
        "authentication_token": simulator.token(),
        "base_url": simulator.base_url(),
        "retry_window_seconds": 0,
    });
    (connector, file)
}

/// Asserts that a value was read and refused.
#[track_caller]
fn assert_refused(answer: &Answer, setting: &Setting, what: &str) {
    let all = format!("{}{}", answer.text(), answer.stderr);
    let named = format!("`{}`", setting.key);
    // Airbyte's `check` answers, and is no failure.
    let is_answer = all.contains("CONNECTION_STATUS");
    assert_eq!(answer.code, Some(if is_answer { 0 } else { 78 }), "{what}: {all}");
    assert!(all.contains(&named), "{what}: {all}");
}

/// Asserts that the command did what it does.
#[track_caller]
fn assert_works(answer: &Answer, what: &str) {
    let all = format!("{}{}", answer.text(), answer.stderr);
    assert!(answer.code == Some(0) && !all.contains("FAILED"), "{what}: {all}");
}

#[test]
fn every_setting_is_read_from_every_origin_of_its_command_and_no_other() {
    let simulator = simulator(3);
    at_once(SETTINGS, |setting| {
        let (connector, good) = connector(&simulator);
        let value = wrong(setting);
        let long = setting.key.replace('_', "-");
        let variable = format!("KOMETSALES_{}", setting.key.to_uppercase());
        let of_tap = format!("TAP_{variable}");
        let is_secret = matches!(setting.accepts, Accepts::Secret { .. });
        let flag = [format!("--{long}={value}")];
        for command in COMMANDS {
            let what = |origin: &str| format!("{command:?}, {} by {origin}", setting.key);
            let mut bad = good.clone();
            bad[setting.key] = value.clone().into();
            let by_file = run(&connector, command, Some(&bad), &[], &[]);
            assert_refused(&by_file, setting, &what("file"));

            let environment = [(variable.as_str(), value.as_str())];
            let by_variable = run(&connector, command, Some(&good), &environment, &[]);
            if is_for_people(command) {
                assert_refused(&by_variable, setting, &what("variable"));
                assert!(by_variable.stderr.contains(&variable), "{}", by_variable.stderr);
            } else {
                assert_works(&by_variable, &what("variable"));
            }

            // A secret may also be in a file that a variable names; no other setting may.
            connector.write("secret", &value);
            let by_secret_file = format!("{variable}_FILE");
            let environment = [(by_secret_file.as_str(), "secret")];
            let answer = run(&connector, command, Some(&good), &environment, &[]);
            if is_for_people(command) && is_secret {
                assert_refused(&answer, setting, &what("token file"));
                assert!(answer.stderr.contains(&by_secret_file), "{}", answer.stderr);
            } else {
                assert_works(&answer, &what("token file"));
                let is_warned_of = is_for_people(command) && !is_secret;
                let warning = format!("`{by_secret_file}` is not the variable of a setting");
                assert_eq!(answer.stderr.contains(&warning), is_warned_of, "{}", answer.stderr);
            }

            let by_flag = run(&connector, command, Some(&good), &[], &flag);
            if is_for_people(command) && !is_secret {
                assert_refused(&by_flag, setting, &what("flag"));
                assert!(by_flag.stderr.contains(&format!("(--{long})")), "{}", by_flag.stderr);
            } else {
                assert_eq!(by_flag.code, Some(2), "{}: {}", what("flag"), by_flag.stderr);
            }
        }
        // A tap has variables of its own, where it is asked to read them.
        let environment = [(of_tap.as_str(), value.as_str())];
        let mut tap = good.clone();
        let arguments = ["--config", "config.json", "--config", "ENV", "--test"];
        tap.as_object_mut().unwrap().remove(setting.key);
        connector.write("config.json", tap.to_string());
        let mut program = connector.command(&arguments);
        program.envs(environment);
        assert_refused(&finish(program, b""), setting, "the tap's own variable");
        assert_works(
            &run(&connector, &["--test"], Some(&good), &environment, &[]),
            "the tap's variable, where the tap is not asked to read it",
        );
    });
}

#[test]
fn a_flag_counts_before_a_variable_and_a_variable_before_a_file() {
    let simulator = simulator(3);
    let public = SETTINGS.iter().filter(|setting| !setting.is_secret());
    at_once(&public.collect::<Vec<_>>(), |setting| {
        let (connector, mut file) = connector(&simulator);
        let value = wrong(setting);
        let long = setting.key.replace('_', "-");
        let variable = format!("KOMETSALES_{}", setting.key.to_uppercase());
        let good = match setting.accepts {
            Accepts::Url { .. } => simulator.base_url().to_owned(),
            Accepts::Boolean { .. } => "false".to_owned(),
            Accepts::Integer { least, .. } => least.to_string(),
            Accepts::Date => "2020-01-01".to_owned(),
            Accepts::Zone => "America/Bogota".to_owned(),
            Accepts::Digits { .. } => "7".to_owned(),
            _ => "name".to_owned(),
        };
        file[setting.key] = value.clone().into();
        // Nothing is hashed without one.
        file["hash_key"] = "a-key-of-sixteen".into();
        for command in [&["check", "--text"][..], &["export", "--check"]] {
            // The variable hides the file's value, and the flag hides the variable's.
            let by_variable = [(variable.as_str(), good.as_str())];
            let hidden = run(&connector, command, Some(&file), &by_variable, &[]);
            assert_works(&hidden, &format!("{} by variable", setting.key));
            let flag = [format!("--{long}"), good.clone()];
            let by_variable = [(variable.as_str(), value.as_str())];
            let hidden = run(&connector, command, Some(&file), &by_variable, &flag);
            assert_works(&hidden, &format!("{} by flag", setting.key));
            // An empty value is none.
            let empty = [(variable.as_str(), "")];
            let seen = run(&connector, command, Some(&file), &empty, &[]);
            assert_refused(&seen, setting, "an empty variable");
        }
    });
}

#[test]
fn no_file_is_needed_where_flags_and_variables_say_everything() {
    let simulator = simulator(5);
    let (connector, _) = connector(&simulator);
    let flags = ["--base-url".to_owned(), simulator.base_url().to_owned()];
    let environment = [(TOKEN, simulator.token())];
    let command = ["export", "--to", "rows.parquet", "--timezone", "America/Bogota"];
    let answer = run(&connector, &command, None, &environment, &flags);
    assert_works(&answer, "export");
    assert!(answer.text().contains("5 customers written"), "{}", answer.text());
    let checked = run(&connector, &["check", "--text"], None, &environment, &flags);
    assert_works(&checked, "check");
    let host = simulator.base_url().trim_start_matches("http://").trim_end_matches("/api");
    assert_eq!(
        checked.text(),
        format!(
            "The configuration works: Komet Sales ({host}) accepts the token for customer.list.\n"
        )
    );
    let without = run(&connector, &["check", "--text"], None, &[], &flags);
    assert_eq!(without.code, Some(78), "{}", without.stderr);
    assert!(
        without.stderr.contains("No token was given. Set KOMETSALES_AUTH"),
        "{}",
        without.stderr
    );
}

#[test]
fn a_check_in_a_sentence_ends_with_the_exit_code_of_the_failure() {
    let simulator = simulator(1);
    let (connector, mut file) = connector(&simulator);
    file["authentication_token"] = "not-the-token".into();
    let refused = run(&connector, &["check", "--text"], Some(&file), &[], &[]);
    assert_eq!((refused.code, refused.text()), (Some(77), ""), "{}", refused.stderr);
    assert!(refused.stderr.starts_with("error: ") && !refused.stderr.contains("not-the-token"));
    file["base_url"] = NOBODY.into();
    let unreachable = run(&connector, &["check", "--text"], Some(&file), &[], &[]);
    assert_eq!(unreachable.code, Some(75), "{}", unreachable.stderr);
}

#[test]
fn a_check_of_an_export_needs_no_place() {
    let simulator = simulator(1);
    let (connector, file) = connector(&simulator);
    let answer = run(&connector, &["export", "--check"], Some(&file), &[], &[]);
    assert_eq!(answer.text(), "Komet Sales accepts the token.\n", "{}", answer.stderr);
    let json = run(&connector, &["export", "--check", "--json"], Some(&file), &[], &[]);
    assert_eq!(json.text(), "{\"to\":null,\"check\":\"ok\"}\n", "{}", json.stderr);
    let without = run(&connector, &["export"], Some(&file), &[], &[]);
    assert!(without.code == Some(2) && without.stderr.contains("--to <URL>"), "{}", without.stderr);
}

#[test]
fn a_token_may_come_from_a_file_without_the_end_of_its_line() {
    let simulator = simulator(1);
    let (connector, mut file) = connector(&simulator);
    file.as_object_mut().unwrap().remove("authentication_token");
    let path = connector.folder().join("token");
    let by_file = [(TOKEN_FILE, path.to_str().unwrap())];
    for (end, works) in
        [("", true), ("\n", true), ("\r\n", true), ("\n\n", false), (" ", false), ("\r", false)]
    {
        connector.write("token", format!("{}{end}", simulator.token()));
        for command in [&["check", "--text"][..], &["export", "--check"]] {
            let answer = run(&connector, command, Some(&file), &by_file, &[]);
            let code = if works { 0 } else { 78 };
            assert_eq!(answer.code, Some(code), "{end:?}: {}", answer.stderr);
            assert!(!answer.stderr.contains(simulator.token()), "{}", answer.stderr);
        }
    }
    connector.write("token", b"\xff\xfe not text");
    let answer = run(&connector, &["check", "--text"], Some(&file), &by_file, &[]);
    assert!(answer.code == Some(78) && answer.stderr.contains("UTF-8"), "{}", answer.stderr);
    // Airbyte's check does not look at it.
    let answer = run(&connector, &["check"], Some(&file), &by_file, &[]);
    assert!(answer.text().contains("is missing"), "{}", answer.text());
}

#[test]
fn a_token_that_comes_twice_or_not_at_all_is_a_configuration_error() {
    let simulator = simulator(1);
    let (connector, file) = connector(&simulator);
    connector.write("token", simulator.token());
    let path = connector.folder().join("token");
    let twice = [(TOKEN, simulator.token()), (TOKEN_FILE, path.to_str().unwrap())];
    let answer = run(&connector, &["check", "--text"], Some(&file), &twice, &[]);
    assert!(answer.code == Some(78) && answer.stderr.contains("are both set"), "{}", answer.stderr);
    let gone = [(TOKEN_FILE, "/nowhere/token")];
    let answer = run(&connector, &["check", "--text"], Some(&file), &gone, &[]);
    assert!(answer.code == Some(78), "{}", answer.stderr);
    assert!(
        answer.stderr.contains(
            "The file of KOMETSALES_AUTHENTICATION_TOKEN_FILE (/nowhere/token) cannot be read"
        ),
        "{}",
        answer.stderr
    );
    // Somebody who takes the one variable for the other has put the token where a path is expected.
    let mistaken = [(TOKEN_FILE, simulator.token())];
    let answer = run(&connector, &["check", "--text"], Some(&file), &mistaken, &[]);
    assert!(
        answer.code == Some(78) && !answer.stderr.contains(simulator.token()),
        "{}",
        answer.stderr
    );
}

#[test]
fn variables_that_are_no_settings_are_warned_of_by_name() {
    let simulator = simulator(1);
    let (connector, file) = connector(&simulator);
    let environment = [
        ("KOMETSALES_TIME_ZONE", "a-private-value"),
        ("KOMETSALES_SERVICE_HOST", "10.0.0.1"),
        ("KOMETSALES_PORT_80_TCP", "tcp://10.0.0.1:80"),
    ];
    for command in [&["check", "--text"][..], &["export", "--to", "rows.parquet"]] {
        let answer = run(&connector, command, Some(&file), &environment, &[]);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        assert_eq!(
            answer.stderr,
            "WARNING `KOMETSALES_TIME_ZONE` is not the variable of a setting (did you mean `KOMETSALES_TIMEZONE`?). It is ignored.\n"
        );
    }
}

#[test]
fn a_variable_that_is_not_text_is_a_configuration_error() {
    let simulator = simulator(1);
    let (connector, file) = connector(&simulator);
    connector.write("config.json", file.to_string());
    for (name, arguments) in [
        ("KOMETSALES_TIMEZONE", &["check", "--text", "--config", "config.json"][..]),
        ("TAP_KOMETSALES_TIMEZONE", &["--config", "config.json", "--config", "ENV", "--test"]),
    ] {
        let mut program = connector.command(arguments);
        program.env(name, OsStr::from_bytes(b"\xffUTC"));
        let answer = finish(program, b"");
        assert!(answer.code == Some(78), "{}", answer.stderr);
        assert!(answer.stderr.contains(&format!("{name} is not UTF-8")), "{}", answer.stderr);
    }
}

#[test]
fn the_configuration_may_come_before_or_after_the_command_and_the_later_one_counts() {
    let simulator = simulator(1);
    let (connector, good) = connector(&simulator);
    connector.write("good.json", good.to_string());
    connector.write("bad.json", json!({"base_url": "nowhere"}).to_string());
    for (command, code) in [
        ("--config good.json check --text", 0),
        ("--config bad.json check --text --config good.json", 0),
        ("check --text --config bad.json --config good.json", 0),
        ("--config good.json check --text --config bad.json", 78),
        ("--config good.json export --check", 0),
        ("--config bad.json export --config good.json --check", 0),
        ("--config good.json read --catalog catalog.json", 0),
        ("--config bad.json --config good.json check", 0),
        ("--config good.json discover", 0),
        ("check", 2),
        ("read --catalog catalog.json", 2),
        ("--config good.json spec", 2),
        ("--config - check --text --config -", 2),
    ] {
        let arguments: Vec<&str> = command.split(' ').collect();
        let answer = finish(connector.command(&arguments), b"");
        assert_eq!(answer.code, Some(code), "{command}: {}", answer.stderr);
    }
}

#[test]
fn with_json_a_failure_is_one_object_on_stdout() {
    let simulator = simulator(1);
    let (connector, good) = connector(&simulator);
    let mut wrong_token = good.clone();
    wrong_token["authentication_token"] = "not-the-token".into();
    let mut unreachable = good.clone();
    unreachable["base_url"] = NOBODY.into();
    let mut wrong_key = good.clone();
    wrong_key["time_zone"] = "UTC".into();
    for (file, arguments, kind, code) in [
        (&wrong_token, "export --to lake --json", "auth", 77),
        (&unreachable, "export --to lake --json", "transient", 75),
        (&wrong_key, "export --to lake --json", "config", 78),
        (&good, "export --to s3:/bucket --json", "config", 78),
        (&good, "export --json --no-such-flag", "usage", 2),
        (&good, "export --to x.parquet --mode merge --json", "usage", 2),
        (&good, "show nothing-here --json", "config", 78),
        (&good, "vacuum nothing-here --json", "config", 78),
        (&good, "vacuum nothing-here --json --retain", "usage", 2),
    ] {
        connector.write("config.json", file.to_string());
        let mut all: Vec<&str> = arguments.split(' ').collect();
        if all[0] == "export" {
            all.extend(["--config", "config.json"]);
        }
        let answer = finish(connector.command(&all), b"");
        assert_eq!(answer.code, Some(code), "{arguments}: {}", answer.stderr);
        let object: Value = serde_json::from_slice(&answer.stdout).unwrap();
        let error = &object["error"];
        assert_eq!(error["kind"], kind, "{arguments}");
        assert_eq!(error["exit_code"], code, "{arguments}");
        assert_eq!(error["retry"], code == 75, "{arguments}");
        let message = error["message"].as_str().unwrap();
        assert!(!message.contains('\n') && message.len() > 10, "{message}");
        assert_eq!(object.as_object().unwrap().len(), 1);
        // People who read the log see the same.
        assert!(answer.stderr.starts_with("error: "), "{}", answer.stderr);
    }
    // Where the rows go to stdout, the object goes where the summary would.
    connector.write("config.json", wrong_token.to_string());
    let stream = ["export", "--to", "-", "--json", "--config", "config.json"];
    let answer = finish(connector.command(&stream), b"");
    assert_eq!((answer.code, answer.text()), (Some(77), ""));
    let object: Value = serde_json::from_str(answer.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(object["error"]["kind"], "auth");
}

#[test]
fn a_wrong_use_of_a_command_shows_how_that_command_is_used() {
    let (connector, _) = connector(&simulator(1));
    for (arguments, usage) in [
        ("export --to x.parquet --mode merge", "Usage: kometsales export"),
        ("check", "Usage: kometsales check"),
        ("check --timezone UTC --config c.json", "Usage: kometsales check"),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let answer = finish(connector.command(&arguments), b"");
        assert_eq!(answer.code, Some(2));
        assert!(answer.stderr.contains(usage), "{}", answer.stderr);
    }
    assert!(!Path::new("x.parquet").exists());
}
