//! Streams that only the tests have, and the program with them: this test program, started once more.

use std::process::{Command, ExitCode};

use kometsales::model::Stream;
use kometsales::model::stream::{Declaration, Field, Filter, Type};
use kometsales::streams::customers::CUSTOMERS;

use super::answer::Answer;

/// The vendors of a company, with other fields, another order and another key than its customers.
pub(crate) static VENDORS: Stream = Stream::new(Declaration {
    name: "vendors",
    method: "vendor.list",
    list: "vendors",
    record: "vendor",
    documentation: "The vendors of the company.",
    fields: &[
        Field::nullable("country", Type::Text, "Where the vendor is."),
        Field::cursor("changedAt", Type::Timestamp, "When the vendor was last changed."),
        Field::nullable("isFarm", Type::Boolean, "Whether the vendor grows what it sells."),
        Field::key("vendorId", Type::Integer, "The number of the vendor."),
        Field::nullable("sinceDate", Type::Timestamp, "Since when it is one."),
        Field::nullable("boxes", Type::Integer, "How many boxes it has sent."),
    ],
    filters: &[Filter { setting: "code", parameter: "vendorCode" }],
    since: Some("updateAsOf"),
    inactive: None,
});

/// The colours of flowers: they have no time of change, so each read is of all of them.
pub(crate) static COLORS: Stream = Stream::new(Declaration {
    name: "colors",
    method: "color.list",
    list: "colors",
    record: "color",
    documentation: "The colours that flowers come in.",
    fields: &[
        Field::nullable("name", Type::Text, "What the colour is called."),
        Field::active("isInUse", Type::Boolean, "Whether the colour is in use."),
        Field::key("colorId", Type::Integer, "The number of the colour."),
    ],
    filters: &[],
    since: None,
    inactive: None,
});

/// The product's stream and those above.
pub(crate) static STREAMS: &[&Stream] = &[&CUSTOMERS, &VENDORS, &COLORS];

/// The name of the test that is the program.
const PROGRAM: &str = "support::streams::the_program_with_the_streams_of_the_tests";

/// What it is started with, one argument a line.
const ARGUMENTS: &str = "KOMET_TEST_ARGUMENTS";

/// What the harness prints before the program begins.
const HARNESS: &[u8] = b"\nrunning 1 test\n";

/// The program with all streams and these arguments, in no environment.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env_clear()
        .args([PROGRAM, "--exact", "--ignored", "--nocapture", "--test-threads=2"])
        // It does not start itself again, to limit its memory.
        .env("MALLOC_MMAP_THRESHOLD_", "524288")
        .env(ARGUMENTS, arguments.join("\n"));
    command
}

/// What the program answered, without the line of the harness.
pub(crate) fn without_harness(mut answer: Answer) -> Answer {
    assert!(answer.stdout.starts_with(HARNESS), "{}", answer.text());
    answer.stdout.drain(..HARNESS.len());
    answer
}

#[test]
#[ignore = "it is the program that other tests start"]
#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "it is given arguments and answers as the program does"
)]
fn the_program_with_the_streams_of_the_tests() {
    // The name alone is a run of every test that is ignored.
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let arguments = ["kometsales"].into_iter().chain(arguments.lines()).map(Into::into);
    let code = kometsales::cli::main(arguments, STREAMS);
    let number = (0..=u8::MAX).find(|number| ExitCode::from(*number) == code);
    std::process::exit(number.unwrap().into());
}
