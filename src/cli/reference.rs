//! The reference (`docs/reference.md`), whole: what the declarations say, and what is said nowhere else.

use std::fmt::Write;

use clap::{Arg, Command};

use super::settings::{FILE, variable};
use crate::config::settings::{self, SETTINGS};
use crate::error::Kind;
use crate::model::Stream;
use crate::model::docs::markdown;
use crate::singer::PREFIX as OF_TAP;

/// What every page begins with.
const START: &str = "# Reference

kometsales reads the customers of a flower company out of Komet Sales and writes them where they are needed. This page: every command, flag,
variable, exit code, key, limit, setting and field. The program writes it: `kometsales generate docs`.

[README](../README.md) · [Airbyte](airbyte.md) · [Meltano](meltano.md) · [Export](export.md) · [Companies](companies.md) · [Python](python.md) ·
[Orchestrators](orchestrators.md) · [Warehouses](warehouses.md) · [Reference](reference.md) · [Compatibility](compatibility.md) · [Reliability](reliability.md)
";

/// A row of a table: a name and what it means.
type Row = (&'static str, &'static str);

/// What the environment says besides settings.
const VARIABLES: [Row; 13] = [
    (
        "KOMETSALES_AUTHENTICATION_TOKEN_FILE",
        "A file that holds the token, without the end of its line. So with every secret. Not together with the variable itself.",
    ),
    (
        "AWS_*, GOOGLE_*, AZURE_*",
        "Object stores, as their own tools read them: AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL, AWS_ALLOW_HTTP, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_NAME, …",
    ),
    ("HTTPS_PROXY, ALL_PROXY", "The proxy for HTTPS, also in small letters."),
    ("HTTP_PROXY", "The proxy for stores over plain HTTP."),
    ("NO_PROXY", "Hosts that are asked without the proxy."),
    ("SSL_CERT_FILE", "The certificate authorities to trust in place of the built-in ones (PEM)."),
    ("TMPDIR", "Where lists of more than 4 MiB wait in an unnamed file; /tmp without it."),
    ("LOG_LEVEL", "debug, info, warn or error."),
    ("NO_COLOR", "No colours."),
    ("TERM", "dumb: no progress bar and no colours."),
    ("SINGER_SDK_LOG_CONFIG", "How Meltano wants messages: level, and lines of JSON."),
    (
        "MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_, MALLOC_ARENA_MAX",
        "Set by `export` itself, unless one of them or GLIBC_TUNABLES is set: memory stays small.",
    ),
    ("GLIBC_TUNABLES", "As above."),
];

/// Exit codes that no kind of failure has.
const OTHER_CODES: [(&str, &str, &str, &str); 3] = [
    (
        "0",
        "–",
        "no",
        "It is done. Airbyte's `check` also answers so about a wrong token or configuration.",
    ),
    ("2", "usage", "no", "An unknown flag or command, or flags that contradict each other."),
    (
        "130, 143",
        "interrupted",
        "as you like",
        "SIGINT, SIGTERM. A commit that has begun is seen through.",
    ),
];

/// Keys of `export --json`.
const EXPORT: [Row; 21] = [
    ("to", "The place, as people write it."),
    ("kind", "`table`, `file` or `stream`."),
    ("mode", "The table's mode; null for others."),
    ("run", "The name of the run, which the table's log and a rejects file have too."),
    ("received", "Rows of the reply."),
    ("rows", "Rows written."),
    ("unchanged", "Rows that the table had already, the same in every value."),
    ("deleted", "Customers marked as deleted by this run; null for what is no table."),
    ("restored", "Customers that were marked and have returned; null for what is no table."),
    (
        "withheld",
        "Customers that are missing and were not marked: too many, or not proved; null for what is no table.",
    ),
    ("rejects", "Records that were rejected."),
    ("rejects_to", "The file that has them whole, or null."),
    (
        "not_returned",
        "Current customers of the table that a read of everything did not return; null if not everything was read.",
    ),
    ("bytes", "Bytes written."),
    ("files", "Files written."),
    ("version", "The table's version; null for others."),
    ("committed", "Whether there was anything to commit."),
    ("cursor", "Where the next export goes on, or null."),
    ("extracted_at", "When the request was sent."),
    ("table_rows", "Rows of the table now; null for others."),
    (
        "vacuumed",
        "What `--vacuum` removed after the commit: `count` files and `bytes`; null if there was none.",
    ),
];

/// Keys of `export --dry-run --json`.
const DRY_RUN: [Row; 15] = [
    ("to", "The table, as people write it."),
    ("kind", "`table`."),
    ("mode", "The mode."),
    ("dry_run", "True: nothing was written."),
    ("version", "The version that was compared, or null for a new table."),
    ("received", "Rows of the reply."),
    ("rejects", "Records that were rejected."),
    ("extracted_at", "When the request was sent."),
    (
        "is_complete",
        "Whether the reply was a complete list: then a table without a difference equals it.",
    ),
    ("inserted", "Customers that would be new: `{\"count\", \"ids\"}`, at most ten ids."),
    ("updated", "Customers that would change, likewise."),
    ("deleted", "Customers that would be marked as deleted, likewise."),
    ("restored", "Customers that would be current again, likewise."),
    ("unchanged", "Customers that are the same, likewise."),
    ("withheld", "Customers that are missing and would not be marked."),
];

/// Keys of `show --json`.
const SHOW: [Row; 16] = [
    ("to", "The place, as people write it."),
    ("kind", "`table` or `file`."),
    ("mode", "The table's mode; null for a file."),
    ("rows", "Rows, every version of each counted."),
    ("keys", "Different customers."),
    ("deleted", "Customers that are marked as deleted; null for a file."),
    ("active", "Customers that are active and not deleted."),
    ("excluded", "Fields that its rows are without, as `exclude_fields` had it."),
    ("hashed", "Fields of which its rows have hashes, as `hash_fields` had it."),
    ("version", "The table's version; null for a file."),
    ("cursor", "Where the next export goes on, or null."),
    ("bytes", "Bytes of the files that readers read."),
    ("files", "How many they are."),
    (
        "runs",
        "The last five runs that committed, newest first: `version`, `run`, `mode`, `rows`, `at`; in one table of many companies `companies`, how many were committed at once.",
    ),
    ("months", "Customers by the month of their last change: `{\"2024-03\": 12}`."),
    (
        "companies",
        "In one table of many companies alone: for each `company`, `rows`, `keys`, `deleted`, `active`, `cursor`, `bytes`, `files`.",
    ),
];

/// Keys of `vacuum --json`.
const VACUUM: [Row; 9] = [
    ("to", "The table, as people write it."),
    ("dry_run", "Whether nothing was removed."),
    ("version", "The newest version."),
    ("oldest_version", "The oldest version that stays readable."),
    ("retain_seconds", "For how long versions stay readable."),
    ("files", "Files of versions that are not kept."),
    ("orphans", "Files that no commit names."),
    ("log", "Entries of the log."),
    ("rejects", "Files of rejected records."),
];

/// Keys of the object in `{\"error\": …}`.
const ERROR: [Row; 4] = [
    ("kind", "`usage`, `config`, `auth`, `transient`, `data`, `system` or `interrupted`."),
    ("exit_code", "The exit code."),
    ("message", "What happened, where, and what to do next: a sentence or two, without a secret."),
    ("retry", "Whether the same call may work later: true for `transient` alone."),
];

/// Keys of a line of `export --companies --json`.
const COMPANY: [Row; 6] = [
    ("company", "The company."),
    ("outcome", "`exported`, `compared` (a dry run), `checked`, `failed` or `not_started`."),
    ("requests", "Requests sent, those that failed included."),
    ("seconds", "From its first step to its last."),
    ("kind", "Of a failure: that of the exit codes, or `interrupted`."),
    ("message", "Of a failure: what happened, and what to do next."),
];

/// Keys of the object in `{\"summary\": …}`, the last line.
const SUMMARY: [Row; 15] = [
    ("companies", "Companies of this run."),
    ("exported", "Companies that were exported."),
    ("compared", "Companies that were compared, in a dry run."),
    ("checked", "Companies that were tested, with `--check`."),
    ("failed", "Companies that failed."),
    ("not_started", "Companies whose turn never came."),
    ("stopped", "Why the run ended early: a kind of failure or `interrupted`; null if it did not."),
    ("kinds", "Failed companies by the kind of failure."),
    ("rows", "Rows written."),
    ("requests", "Requests sent."),
    ("seconds", "How long all of it took."),
    ("shard", "The part of the companies that was looked at."),
    ("commits", "With `--one-table`: commits to the table."),
    (
        "rebases",
        "With `--one-table`: how many of them went on top of what another run had committed meanwhile.",
    ),
    (
        "vacuumed",
        "What `--vacuum` removed after the commits: `count` files and `bytes`; missing if there was none.",
    ),
];

/// What is refused, and where it ends.
const LIMITS: [Row; 12] = [
    (
        "64 MiB",
        "One record of a reply; a larger one is a data error. Memory holds the largest record.",
    ),
    ("10,000", "Members of a record; more are a data error."),
    ("128", "Levels of nesting in a reply; more are a data error."),
    (
        "200 times",
        "What a compressed reply may inflate to, once 64 MiB are inflated; more is a data error.",
    ),
    ("4 MiB", "Rows in memory; what is more waits in an unnamed temporary file."),
    ("8 characters to 200 bytes", "The token; anything else is a config error."),
    ("30 s", "The longest pause between two tries; `check` and `--test` try for at most 30 s."),
    ("10 s", "A connection; `request_timeout_seconds` is for the whole request."),
    (
        "10 or 10 %",
        "Customers, whichever is more, that one complete list marks as deleted, and never more than half; `--allow-shrink` lifts it.",
    ),
    (
        "half",
        "Of the rows that a file or `--mode overwrite` replaces must come back; `--allow-shrink` lifts it.",
    ),
    ("30", "Lost races with other writers, after which an export gives up (transient)."),
    ("62", "Fields of a stream."),
];

/// The whole page.
pub(super) fn reference(command: &mut Command, streams: &[&Stream]) -> String {
    command.build();
    let mut text = START.to_owned();
    text.push_str("\n## Commands\n");
    for one in
        command.get_subcommands().filter(|one| !one.is_hide_set() && one.get_name() != "help")
    {
        section(&mut text, &format!("kometsales {}", one.get_name()), one);
    }
    let about = "The Singer protocol: flags without a command.";
    let flags =
        flags(command.get_arguments().filter(|arg| arg.get_help_heading() == Some("Singer")));
    let _ = write!(text, "\n### `kometsales --config FILE …`\n\n{about}\n\n{flags}");
    text.push_str("\n## Environment\n\nIn `export` and `check --text` a flag counts before a variable, and a variable before a file. With `--config ENV` the tap reads variables of its own. The Airbyte verbs read the file alone. A variable `KOMETSALES_…` that is not known is a warning.\n\n| setting | flag | variable | of the tap |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        let key = setting.key;
        let flag = match setting.is_secret() {
            true => format!("none; `{}{FILE}`", variable(setting)),
            false => format!("`--{}`", key.replace('_', "-")),
        };
        let of_tap = format!("{OF_TAP}{}", key.to_ascii_uppercase());
        let _ = writeln!(text, "| `{key}` | {flag} | `{}` | `{of_tap}` |", variable(setting));
    }
    table(&mut text, ["variable", "meaning"], &VARIABLES);
    exit_codes(&mut text);
    text.push_str("\n## JSON\n\n`--json` ends with one object on stdout, on one line; where the rows go to stdout, on stderr. Keys may be added in any version.\n");
    for (title, rows) in [
        ("`export --json`", &EXPORT[..]),
        ("`export --dry-run --json`", &DRY_RUN),
        ("`show --json`", &SHOW),
        ("`vacuum --json`", &VACUUM),
        ("A failure: `{\"error\": …}`", &ERROR),
        ("`export --companies --json`: a line per company", &COMPANY),
        ("`export --companies --json`: the last line, `{\"summary\": …}`", &SUMMARY),
    ] {
        let _ = writeln!(text, "\n### {title}");
        table(&mut text, ["key", "meaning"], rows);
    }
    text.push_str("`export --json` also has `seconds`, how long all of it took. `export --check --json` has `to` and `check`, which is `ok`. A company's line also has the keys of its export or dry run.\n");
    text.push_str("\n## Limits\n");
    table(&mut text, ["limit", "what"], &LIMITS);
    let _ = write!(text, "\n## Settings\n\n{}", settings::markdown());
    for stream in streams {
        let (name, about) = (stream.name, stream.documentation);
        let _ = write!(text, "\n## Stream `{name}`\n\n{about}\n\n{}", markdown(stream));
    }
    text
}

fn section(text: &mut String, name: &str, command: &Command) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "\n### `{name}`\n\n{about}.\n");
    let own = command.get_arguments().filter(|arg| arg.get_help_heading() != Some("Settings"));
    let rows = flags(own);
    if !rows.is_empty() {
        let _ = write!(text, "\n{rows}");
    }
    if command.get_arguments().any(|arg| arg.get_help_heading() == Some("Settings")) {
        text.push_str(
            "\nAnd every [setting](#settings) as a flag: see [Environment](#environment).\n",
        );
    }
    let inner: Vec<&Command> = command
        .get_subcommands()
        .filter(|one| !one.is_hide_set() && one.get_name() != "help")
        .collect();
    if !inner.is_empty() {
        text.push_str("\n| what | |\n|---|---|\n");
        for one in inner {
            let about = one.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "| `{}` | {about}. |", one.get_name());
        }
    }
}

/// A table of flags; nothing where there are none.
fn flags<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let rows = arguments
        .filter(|arg| !arg.is_hide_set() && arg.get_id() != "help" && arg.get_id() != "debug");
    let rows: String = rows.map(flag).collect();
    if rows.is_empty() { rows } else { format!("| flag | meaning |\n|---|---|\n{rows}") }
}

fn flag(arg: &Arg) -> String {
    let values: Vec<String> =
        arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    let takes = arg.get_action().takes_values();
    let name = match arg.get_long() {
        Some(long) if takes => format!("--{long} {}", values.join(" ")),
        Some(long) => format!("--{long}"),
        None => values.join(" "),
    };
    let help = arg.get_help().map(|help| help.to_string().replace('|', "\\|")).unwrap_or_default();
    let possible: Vec<String> =
        arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    let possible = if possible.is_empty() || !takes {
        String::new()
    } else {
        format!(" One of {}.", possible.join(", "))
    };
    format!("| `{name}` | {}.{possible} |\n", help.trim_end_matches('.'))
}

fn exit_codes(text: &mut String) {
    text.push_str(
        "\n## Exit codes\n\n| code | kind | try again? | for example |\n|---|---|---|---|\n",
    );
    let of_kinds = [
        (
            Kind::Config,
            "A wrong setting, file, catalog, state or place; 404; a redirect; a proxy that cannot be used; no name server.",
        ),
        (Kind::Auth, "401, 403, `status` 0: the API refused."),
        (
            Kind::Transient,
            "No connection, a timeout, 429, 5xx, a cut reply, a web page in place of JSON, once the retry window is spent; another export committed first.",
        ),
        (
            Kind::Data,
            "A reply that is not as documented, too many records without an id, another company's customers, a reply with under half the rows it would replace.",
        ),
        (Kind::System, "Disk full, stdout closed, a bug."),
    ];
    let [done, usage, interrupted] = OTHER_CODES;
    let mut row = |code: &str, kind: &str, again: &str, example: &str| {
        let _ = writeln!(text, "| {code} | {kind} | {again} | {example} |");
    };
    row(done.0, done.1, done.2, done.3);
    row(usage.0, usage.1, usage.2, usage.3);
    for (kind, example) in of_kinds {
        let again = if kind == Kind::Transient { "**yes**, later" } else { "no" };
        row(&kind.exit_code().to_string(), kind.name(), again, example);
    }
    row(interrupted.0, interrupted.1, interrupted.2, interrupted.3);
}

fn table(text: &mut String, [one, two]: [&str; 2], rows: &[Row]) {
    let _ = write!(text, "\n| {one} | {two} |\n|---|---|\n");
    for (name, meaning) in rows {
        let _ = writeln!(text, "| `{name}` | {meaning} |");
    }
    text.push('\n');
}
