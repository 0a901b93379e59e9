//! Whose token it is: swapped, doubled, rotated and vanished ones.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use kometsales::simulator::Options;

use super::{Many, Run};
use crate::support::answer::Answer;
use crate::support::secrets::assert_absent;
use crate::support::{collect, eventually, wait};

#[test]
fn swapped_tokens_are_refused_and_the_tables_stay() {
    let many = Many::of(3, 40, &[]);
    assert_eq!(many.export("lake", &[]).code(), 0);
    let before = many.files("lake");
    many.give("company-0001", "demo-token-0002");
    many.give("company-0002", "demo-token-0001");
    let run = many.export("lake", &[]);
    assert_eq!((run.code(), run.summary["exported"].as_u64()), (65, Some(1)), "{run:?}");
    for name in ["company-0001", "company-0002"] {
        assert!(run.message(name).contains("another company's token"), "{run:?}");
    }
    let after = many.files("lake");
    let own = |name: &&String| !name.starts_with("company-0003");
    for name in before.keys().chain(after.keys()).filter(own) {
        assert!(before.get(name) == after.get(name), "{name} has changed");
    }
}

#[test]
fn two_companies_with_one_token_are_refused_before_any_request() {
    let many = Many::of(3, 40, &[]);
    many.give("company-0002", "demo-token-0001");
    let answer = many.connector.run(&[
        "export",
        "--companies",
        "tokens",
        "--config",
        "config.json",
        "--to",
        "lake",
    ]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert!(answer.stderr.contains("`company-0001` and `company-0002`"), "{}", answer.stderr);
    assert_absent("demo-token-0001", "stderr", answer.stderr.as_bytes());
    assert!(many.simulator.requests().is_empty());
    // With other filters it is two parts of one company.
    fs::remove_file(many.tokens().join("company-0002")).unwrap();
    let part = r#"{"authentication_token": "demo-token-0001", "location_id": 2}"#;
    fs::write(many.tokens().join("company-0002.json"), part).unwrap();
    assert_eq!(many.export("lake", &[]).code(), 0);
}

/// Six companies, and twelve that the simulator knows. It takes its time to answer.
fn six_of_twelve() -> Many {
    let latency = Duration::from_millis(500);
    let many =
        Many::with(Options { customers: 10, companies: Some(12), latency, ..Options::default() });
    for number in 7..=12 {
        fs::remove_file(many.tokens().join(format!("company-{number:04}"))).unwrap();
    }
    many
}

/// A run of one company after the other. While the first of them is being asked, `change` happens.
fn while_the_first_is_asked(many: &Many, change: impl Fn(&Many)) -> Run {
    let mut child = many.start("lake", &["--jobs", "1"]);
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    eventually("a company is asked", || many.simulator.most_at_once() > 0);
    change(many);
    let status = wait(&mut child);
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    Run::of(Answer::new(status, stdout, &stderr, Duration::ZERO))
}

/// Mounts a version of a secret as Kubernetes does: each name is a link through `..data`, which leads to the version's folder
/// and is replaced at once.
fn mount(many: &Many, version: &str, tokens: impl Iterator<Item = (u32, u32)>) {
    let folder = many.tokens();
    fs::create_dir(folder.join(version)).unwrap();
    for (company, token) in tokens {
        let name = format!("company-{company:04}");
        let token = format!("demo-token-{token:04}");
        fs::write(folder.join(version).join(&name), token).unwrap();
        if fs::symlink_metadata(folder.join(&name)).is_err() {
            symlink(format!("..data/{name}"), folder.join(&name)).unwrap();
        }
    }
    symlink(version, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
}

/// How often the companies with these numbers were asked.
fn asked(many: &Many, numbers: std::ops::RangeInclusive<u32>) -> u64 {
    numbers.map(|number| many.simulator.asked(&format!("company-{number:04}")).unwrap()).sum()
}

#[test]
fn a_token_that_is_rotated_during_the_run_is_read_when_its_turn_comes() {
    let many = six_of_twelve();
    let run = while_the_first_is_asked(&many, |many| {
        for number in 1..=6 {
            let token = format!("demo-token-{:04}", number + 6);
            many.give(&format!("company-{number:04}"), &token);
        }
    });
    assert_eq!((run.code(), run.summary["exported"].as_u64()), (0, Some(6)), "{run:?}");
    assert_eq!((asked(&many, 1..=6), asked(&many, 7..=12)), (1, 5));
}

#[test]
fn a_token_that_becomes_anothers_during_the_run_is_refused() {
    let many = six_of_twelve();
    let run = while_the_first_is_asked(&many, |many| {
        (1..=6).for_each(|number| many.give(&format!("company-{number:04}"), "demo-token-0012"));
    });
    assert_eq!((run.code(), run.summary["exported"].as_u64()), (78, Some(2)), "{run:?}");
    assert_eq!((asked(&many, 1..=6), asked(&many, 7..=12)), (1, 1));
    let refused = run.lines.values().filter_map(|line| line["message"].as_str());
    assert_eq!(refused.filter(|message| message.contains("the same token")).count(), 4);
}

#[test]
fn a_company_that_vanishes_during_the_run_fails_alone() {
    let many = six_of_twelve();
    let run = while_the_first_is_asked(&many, |many| {
        (4..=6).for_each(|number| {
            fs::remove_file(many.tokens().join(format!("company-{number:04}"))).unwrap();
        });
    });
    for number in 1..=3 {
        assert_eq!(run.outcome(&format!("company-{number:04}")), "exported", "{run:?}");
    }
    let gone = run.lines.values().filter_map(|line| line["message"].as_str());
    let gone = gone.filter(|message| message.contains("any more")).count();
    assert!((2..=3).contains(&gone), "{run:?}");
    assert_eq!(run.code(), 78);
}

#[test]
fn a_mounted_secret_that_changes_during_the_run_is_read_as_it_is_when_a_companys_turn_comes() {
    let many = six_of_twelve();
    (1..=6).for_each(|number| {
        fs::remove_file(many.tokens().join(format!("company-{number:04}"))).unwrap();
    });
    mount(&many, "..2026_11_25", (1..=6).map(|number| (number, number)));
    // All tokens are new, and one company is not there any more: its link leads nowhere until it is removed.
    let run = while_the_first_is_asked(&many, |many| {
        mount(many, "..2026_11_26", (1..=5).map(|number| (number, number + 6)));
    });
    let was_first = asked(&many, 6..=6) == 1;
    let gone = if was_first { "exported" } else { "failed" };
    assert_eq!(run.outcome("company-0006"), gone, "{run:?}");
    for number in 1..=5 {
        assert_eq!(run.outcome(&format!("company-{number:04}")), "exported", "{run:?}");
    }
    assert_eq!(asked(&many, 1..=6), 1);
    assert_eq!(asked(&many, 7..=12), if was_first { 5 } else { 4 });
    assert_eq!(run.code(), if was_first { 0 } else { 78 });
}

#[test]
fn a_token_of_one_company_is_hidden_in_the_messages_of_another() {
    let many =
        Many::of(3, 10, &["status-zero:ask demo-token-0003 and DEMO-TOKEN-0002@company-0001"]);
    let run = many.export("lake", &[]);
    assert_eq!(run.code(), 77);
    assert!(run.message("company-0001").contains("ask [redacted] and [redacted]"), "{run:?}");
    assert_absent("demo-token-0003", "stderr", run.answer.stderr.as_bytes());
    let debug = many.export("lake", &["--debug", "--jobs", "1"]);
    assert!(debug.answer.stderr.contains("company-0002: Asking"), "{}", debug.answer.stderr);
    for (_, token) in many.companies() {
        assert_absent(&token, "stderr", debug.answer.stderr.as_bytes());
        assert_absent(&token, "stdout", &debug.answer.stdout);
    }
}
