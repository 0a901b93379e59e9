//! What people see when something is wrong, at a terminal of 80 columns: the sentence, and nothing that scrolls it away.

use std::fs;
use std::sync::Mutex;

use insta::with_settings;
use kometsales::simulator::{Options, Simulator};
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::secrets::assert_absent;
use crate::support::{Connector, NOBODY, at_once, catalog, finish};

const COLUMNS: usize = 80;
const MAX_LINES: usize = 2;

/// The token of each of these companies: none of it may be seen.
const TOKEN: &str = "T0k3n-0f-R0s4s";

/// What a person calls the folder in which it happens: what the tests call it is longer.
const FOLDER: &str = "/home/rosa";

/// A fault: what it is called here, what answers in place of Komet Sales, what is set, and what is typed, blanks between.
type Case = (&'static str, Komet, &'static [(&'static str, &'static str)], &'static str);

/// What answers in place of Komet Sales.
#[derive(Clone, Copy)]
enum Komet {
    /// A list of this many customers.
    Has(u64),
    /// This fault.
    Fails(&'static str),
    /// Nothing: nobody listens.
    Nobody,
    /// Two companies, and the table is of the other one.
    OfAnother,
}

use Komet::{Fails, Has, Nobody, OfAnother};

const EXPORT: &str = "export --config config.json --to lake";
const STREAM: &str = "export --config config.json --to -";
const SHOW: &str = "show lake";

/// Settings are JSON values, variables of the environment (in capitals) are texts.
const CASES: &[Case] = &[
    ("no token", Has(1), &[], "export --to lake"),
    ("a token that is a placeholder", Has(1), &[("authentication_token", r#""xxx""#)], EXPORT),
    ("a token in quotes", Has(1), &[("authentication_token", r#""'T0k3n-0f-R0s4s'""#)], EXPORT),
    ("a misspelt setting", Has(1), &[("time_zone", r#""UTC""#)], EXPORT),
    ("a time zone without its continent", Has(1), &[("timezone", r#""Bogota""#)], EXPORT),
    ("a day in another order", Has(1), &[("start_date", r#""31.01.2024""#)], EXPORT),
    ("a number out of range", Has(1), &[("lookback_hours", "721")], EXPORT),
    (
        "a base URL without TLS",
        Has(1),
        &[("base_url", r#""http://api.kometsales.com/api""#)],
        EXPORT,
    ),
    ("a field that cannot be left out", Has(1), &[("exclude_fields", r#""id""#)], EXPORT),
    ("fields to hash without a key", Has(1), &[("hash_fields", r#""name""#)], EXPORT),
    ("a configuration that is not there", Has(1), &[], "export --config nowhere.json --to lake"),
    ("a configuration that is no JSON", Has(1), &[], "export --config broken.json --to lake"),
    ("a configuration in UTF-16", Has(1), &[], "export --config utf16.json --to lake"),
    (
        "a token twice",
        Has(1),
        &[
            ("KOMETSALES_AUTHENTICATION_TOKEN", TOKEN),
            ("KOMETSALES_AUTHENTICATION_TOKEN_FILE", "token"),
        ],
        EXPORT,
    ),
    (
        "a token file that is not there",
        Has(1),
        &[("KOMETSALES_AUTHENTICATION_TOKEN_FILE", "/run/secrets/token")],
        "export --to lake",
    ),
    ("one slash", Has(1), &[], "export --config config.json --to s3:/bucket/lake"),
    ("an ending that is not written", Has(1), &[], "export --config config.json --to lake.csv"),
    ("a misspelt ending", Has(1), &[], "export --config config.json --to lake.parqet"),
    ("a tilde in quotes", Has(1), &[], "export --config config.json --to ~/lake"),
    ("a variable in quotes", Has(1), &[], "export --config config.json --to $HOME/lake"),
    (
        "a website",
        Has(1),
        &[],
        "export --config config.json --to https://bucket.s3.amazonaws.com/lake",
    ),
    ("a file system of Databricks", Has(1), &[], "export --config config.json --to dbfs:/lake"),
    ("a path of Windows", Has(1), &[], "export --config config.json --to C:\\lake"),
    ("a bucket without a name", Has(1), &[], "export --config config.json --to s3:///lake"),
    (
        "credentials in a URL",
        Has(1),
        &[],
        "export --config config.json --to s3://key:secret@bucket/lake",
    ),
    ("a place inside a log", Has(1), &[], "export --config config.json --to lake/_delta_log"),
    (
        "a file where a folder is wanted",
        Has(1),
        &[],
        "export --config config.json --to config.json",
    ),
    ("a table of another tool", Has(1), &[], "export --config config.json --to foreign"),
    ("another mode", Has(1), &[], "export --config config.json --to made --mode history"),
    ("another company", OfAnother, &[], "export --config config.json --to made"),
    (
        "a table that would shrink",
        Has(2),
        &[],
        "export --config config.json --to made --mode overwrite",
    ),
    (
        "a stream that is not there",
        Has(1),
        &[],
        "export --config config.json --to lake --stream customer",
    ),
    ("a token that is refused by status 0", Fails("token-refused"), &[], EXPORT),
    ("a token that is refused by 401", Fails("unauthorized"), &[], EXPORT),
    ("a token without the permission", Fails("forbidden"), &[], EXPORT),
    ("an address that is not there", Fails("missing"), &[], EXPORT),
    ("a redirect", Fails("redirect"), &[], EXPORT),
    ("a server that is not available", Fails("server-error:503"), &[], EXPORT),
    ("too many requests", Fails("rate-limit:60"), &[], EXPORT),
    ("nobody listens", Nobody, &[], EXPORT),
    ("a web page", Fails("web-page"), &[], EXPORT),
    ("a text", Fails("plain-text"), &[], EXPORT),
    ("a reply that was cut", Fails("cut:200"), &[], EXPORT),
    ("a connection that broke", Fails("reset:200"), &[], EXPORT),
    (
        "a reply that never comes",
        Fails("stall-headers"),
        &[("request_timeout_seconds", "1")],
        EXPORT,
    ),
    ("a reply without a status", Fails("status-missing"), &[], EXPORT),
    ("a reply that is no object", Fails("not-an-object"), &[], EXPORT),
    ("two values in a reply", Fails("two-values"), &[], EXPORT),
    ("ids that are none", Fails("bad-ids:1"), &[], STREAM),
    (
        "a profile of AWS",
        Has(1),
        &[("AWS_PROFILE", "work")],
        "export --config config.json --to s3://bucket/lake",
    ),
    (
        "an endpoint without TLS",
        Has(1),
        &[
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "s3cr3t-k3y"),
        ],
        "export --config config.json --to s3://bucket/lake",
    ),
    ("nothing to show", Has(1), &[], SHOW),
    ("nothing to vacuum", Has(1), &[], "vacuum lake"),
    ("nothing to forget", Has(1), &[], "export --to lake --forget 7"),
    ("no companies", Has(1), &[], "export --companies tmp --to lake"),
    ("two companies with one token", Has(1), &[], "export --companies companies.jsonl --to lake"),
    ("a name that no company can have", Has(1), &[], "export --companies named.jsonl --to lake"),
    ("a check of a wrong token", Fails("token-refused"), &[], "check --text --config config.json"),
    ("a catalog of Airbyte", Has(1), &[], "--config config.json --catalog airbyte.json"),
    (
        "a server that is not available for longer",
        Fails("server-error:503"),
        &[("retry_window_seconds", "1")],
        EXPORT,
    ),
    ("a state of a newer version", Has(1), &[], "--config config.json --state newer.json"),
];

/// The program and what answers it, in a folder with everything that the cases name.
fn prepared(komet: Komet, settings: &[(&str, &str)], has_table: bool) -> (Connector, Simulator) {
    let started = |customers: u64, faults: &[&str], companies: Option<u32>| {
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        let token = TOKEN.to_owned();
        let options = Options { customers, faults, companies, token, ..Options::default() };
        Simulator::start(options).unwrap()
    };
    let simulator = match komet {
        Has(customers) => started(customers, &[], None),
        Fails(fault) => started(3, &[fault], None),
        Nobody => started(0, &[], None),
        OfAnother => started(30, &[], Some(2)),
    };
    let config = json!({
        "authentication_token": TOKEN,
        "base_url": if matches!(komet, Nobody) { NOBODY } else { simulator.base_url() },
        "retry_window_seconds": 0,
    });
    let mut connector = Connector::configured(config);
    if has_table {
        // The table that another run has left: of more customers, or of another company.
        let more = started(30, &[], None);
        let (server, token) = match komet {
            OfAnother => (&simulator, "demo-token-0002"),
            _ => (&more, TOKEN),
        };
        let before = json!({"authentication_token": token, "base_url": server.base_url()});
        connector.write("before.json", before.to_string());
        let export = ["export", "--config", "before.json", "--to", "made"];
        assert_eq!(finish(connector.command(&export), b"").code, Some(0));
    }
    if matches!(komet, OfAnother) {
        connector = connector.with("authentication_token", "demo-token-0001");
    }
    for (name, value) in settings {
        connector = match name.starts_with(char::is_uppercase) {
            true => connector.with_environment(name, value),
            false => connector.with(name, serde_json::from_str::<Value>(value).unwrap()),
        };
    }
    connector.write("config.json", connector.config().to_string());
    connector.write("broken.json", format!(r#"{{"authentication_token": "{TOKEN}",}}"#));
    let utf16 = connector.config().to_string().encode_utf16().flat_map(u16::to_le_bytes).collect();
    connector.write("utf16.json", [vec![0xff, 0xfe], utf16].concat());
    connector.write("token", TOKEN);
    let company = |name: &str| json!({"company": name, "authentication_token": TOKEN}).to_string();
    connector.write("companies.jsonl", format!("{}\n{}\n", company("rosas"), company("tulipanes")));
    connector.write("named.jsonl", company("Rosas del Norte S.A."));
    let airbyte = catalog("customers", "full_refresh", Value::Null);
    connector.write("airbyte.json", airbyte.to_string());
    let bookmark = json!({"replication_key_value": "2024-01-01T00:00:00Z", "replication_key": "updatedOn", "version": 9});
    connector.write("newer.json", json!({"bookmarks": {"customers": bookmark}}).to_string());
    let schema = json!({"type": "struct", "fields": [{"name": "id", "type": "long", "nullable": true, "metadata": {}}]});
    let log = [
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        json!({"metaData": {"id": "a", "format": {"provider": "parquet", "options": {}}, "schemaString": schema.to_string(), "partitionColumns": [], "configuration": {}}}),
    ];
    fs::create_dir_all(connector.folder().join("foreign/_delta_log")).unwrap();
    connector.write(
        "foreign/_delta_log/00000000000000000000.json",
        log.map(|line| format!("{line}\n")).concat(),
    );
    (connector, simulator)
}

/// What a terminal shows of a line: one that is too long goes on in the next row.
fn on_a_terminal(line: &str) -> Vec<String> {
    let characters: Vec<char> = line.chars().collect();
    characters.chunks(COLUMNS).map(|row| row.iter().collect()).collect()
}

#[test]
fn an_error_takes_two_lines_of_a_terminal_at_the_most() {
    let outputs: Vec<Mutex<String>> = CASES.iter().map(|_| Mutex::default()).collect();
    let numbers: Vec<usize> = (0..CASES.len()).collect();
    let long = Mutex::new(Vec::new());
    at_once(&numbers, |number| {
        let (name, komet, settings, typed) = CASES[*number];
        let (connector, _simulator) = prepared(komet, settings, typed.contains(" made"));
        let arguments: Vec<&str> = typed.split(' ').collect();
        let answer = finish(connector.command(&arguments), b"");
        let said = as_a_person_sees_it(&connector, &answer);
        assert_absent(TOKEN, name, said.as_bytes());
        assert!(!matches!(answer.code, None | Some(0 | 2)), "{name}: {answer:?}");
        let is_error = |line: &&str| line.starts_with("error: ") || line.starts_with("CRITICAL ");
        assert_eq!(said.lines().filter(is_error).count(), 1, "{name}: {said}");
        let messages: Vec<Vec<String>> = said.lines().map(on_a_terminal).collect();
        if messages.iter().any(|rows| rows.len() > MAX_LINES) {
            long.lock().unwrap().push(format!("{name}: {said}"));
        }
        let code = answer.code.unwrap();
        *outputs[*number].lock().unwrap() =
            format!("# {name} [{code}]\n$ kometsales {typed}\n{}\n", messages.concat().join("\n"));
    });
    let outputs: Vec<String> =
        outputs.into_iter().map(|output| output.into_inner().unwrap()).collect();
    // What is another in every run.
    let filters = [
        (r"Retry 1 in 0\.\d s", "Retry 1 in 0.5 s"),
        (r"at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "at 2026-01-02T03:04:05Z"),
    ];
    with_settings!({ filters => filters, omit_expression => true }, {
        insta::assert_snapshot!(outputs.join("\n"));
    });
    let long = long.into_inner().unwrap();
    assert!(long.is_empty(), "{} of {}:\n{}", long.len(), CASES.len(), long.join("\n"));
}

/// What a run said on stderr, with its folder and its port called as a person would have them.
fn as_a_person_sees_it(connector: &Connector, answer: &Answer) -> String {
    const LOCAL: &str = "127.0.0.1:";
    let folder = fs::canonicalize(connector.folder()).unwrap();
    let said = answer.stderr.replace(folder.to_str().unwrap(), FOLDER);
    let (mut text, mut rest) = (String::new(), &said[..]);
    while let Some((before, after)) = rest.split_once(LOCAL) {
        text.push_str(&format!("{before}{LOCAL}54321"));
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    text + rest
}
