//! The whole of `export` into a local file and a local table, beside `curl` of the same URL and, where there
//! is a Python with it, DuckDB doing the same from a file that is downloaded already.
//!
//! ```sh
//! cargo bench --bench export                    # 1,000,000 customers
//! CUSTOMERS=5000000 ROUNDS=3 cargo bench --bench export
//! MERGE=1 CUSTOMERS=5000000 ROUNDS=1 cargo bench --bench export   # the list into a table that has it
//! HISTORY=1 ROUNDS=1 cargo bench --bench export                   # the same into a history
//! VACUUM=1 CUSTOMERS=1000 cargo bench --bench export              # a vacuum of 1,000 versions (VERSIONS)
//! ```
//!
//! `PYTHON` names the Python that has DuckDB; that of the tests' virtual environment where it is not set.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods
)]

mod beside_curl;

use std::path::Path;

use beside_curl::{Bench, Case};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kometsales");

/// What DuckDB is asked for: the same columns, of the same types.
const DUCKDB: &str = r#"
import duckdb
duckdb.sql("""
COPY (
  SELECT CAST(c.id AS BIGINT) AS id, c.accountingCode, c.name, c.code,
         CAST(c.active AS INTEGER) = 1 AS active, c.salesPerson, c.salesPersonId, c.customerType,
         CAST(c.updatedOn AS TIMESTAMP) AS updatedOn
  FROM (SELECT unnest(customers) AS c FROM read_json('reply.json', maximum_object_size = 2147483647,
    columns = {status: 'VARCHAR', message: 'VARCHAR', customers: 'STRUCT(id VARCHAR,
      accountingCode VARCHAR, name VARCHAR, code VARCHAR, active VARCHAR, salesPerson VARCHAR,
      salesPersonId BIGINT, customerType VARCHAR, updatedOn VARCHAR)[]'}))
) TO 'duckdb.parquet' (FORMAT parquet, COMPRESSION zstd)
""")
"#;

/// The reply and the configuration as they were before anything was changed.
const KEPT: [(&str, &str); 2] =
    [("reply.json", "first-reply.json"), ("config.json", "first-config.json")];

/// Puts the first reply and configuration back, or keeps them the first time.
fn as_at_first(folder: &Path) {
    for (name, kept) in KEPT {
        let (name, kept) = (folder.join(name), folder.join(kept));
        let (from, to) = if kept.exists() { (kept, name) } else { (name, kept) };
        std::fs::copy(from, to).unwrap();
    }
}

/// Takes one of so many customers out of the reply.
fn remove(folder: &Path, one_of: usize) {
    let path = folder.join("reply.json");
    let reply = std::fs::read_to_string(&path).unwrap();
    let mut fewer = String::with_capacity(reply.len());
    for (number, piece) in reply.split_inclusive('}').enumerate() {
        // The first one has the beginning of the list.
        if number == 0 || number % one_of != 0 || !piece.starts_with(",{") {
            fewer.push_str(piece);
        }
    }
    assert!(fewer.len() < reply.len(), "nobody was removed");
    std::fs::write(path, fewer).unwrap();
}

/// Renames one of so many customers of the reply.
fn edit(folder: &Path, one_of: usize) {
    const NAME: &str = "\"name\":\"";
    let path = folder.join("reply.json");
    let reply = std::fs::read_to_string(&path).unwrap();
    let mut edited = String::with_capacity(reply.len() + reply.len() / 64);
    for (number, piece) in reply.split(NAME).enumerate() {
        if number > 0 {
            edited.push_str(NAME);
            edited.push_str(if number % one_of == 0 { "new " } else { "" });
        }
        edited.push_str(piece);
    }
    assert!(edited.len() > reply.len(), "nothing was edited");
    std::fs::write(path, edited).unwrap();
}

/// A table of many versions, of which none but the last is to be kept: made once, and copied for each round.
fn vacuum(bench: &Bench) {
    let versions = std::env::var("VERSIONS").ok().and_then(|text| text.parse().ok());
    let versions: u64 = versions.unwrap_or(1000);
    let folder = bench.folder.path();
    for version in 0..versions {
        as_at_first(folder);
        if version % 2 == 1 {
            edit(folder, 7);
        }
        let export = ["export", "--config", "config.json", "--full-refresh", "--to", "first"];
        let done = std::process::Command::new(PROGRAM)
            .args(export)
            .current_dir(folder)
            .stdout(std::process::Stdio::null())
            .status();
        assert!(done.unwrap().success());
    }
    let month_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(40 * 24 * 3600);
    let anew = move |folder: &Path| {
        drop(std::fs::remove_dir_all(folder.join("table")));
        let copied = std::process::Command::new("cp")
            .args(["-r", "first", "table"])
            .current_dir(folder)
            .status();
        assert!(copied.unwrap().success());
        for place in ["table/customers", "table/customers/_delta_log"] {
            for entry in std::fs::read_dir(folder.join(place)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    let file = std::fs::File::options().append(true).open(path).unwrap();
                    file.set_modified(month_ago).unwrap();
                }
            }
        }
    };
    let name = format!("vacuum of {versions} versions");
    bench.measure(vec![
        Case::new("the same, a dry run", &[PROGRAM, "vacuum", "table", "--dry-run"]).after(anew),
        Case::new(&name, &[PROGRAM, "vacuum", "table"]).after(anew),
    ]);
}

fn main() {
    let bench = Bench::start(5);
    if std::env::var_os("VACUUM").is_some() {
        return vacuum(&bench);
    }
    let export = [PROGRAM, "export", "--config", "config.json", "--json", "--to"];
    let to = |place: &'static str| [&export[..], &[place]].concat();
    // They are not there the first time.
    let no_file = |folder: &Path| drop(std::fs::remove_file(folder.join("file.parquet")));
    let no_table = |folder: &Path| {
        as_at_first(folder);
        drop(std::fs::remove_dir_all(folder.join("table")));
    };
    let is_history = std::env::var_os("HISTORY").is_some();
    let is_again = is_history || std::env::var_os("MERGE").is_some();
    let mode: &[&str] = if is_history { &["--mode", "history"] } else { &[] };
    let table = [&to("table")[..], mode].concat();
    let mut cases = vec![
        Case::new("curl -o FILE", &["curl", "-s", "-o", "copy", &bench.url]),
        Case::new("export to a file", &to("file.parquet")).after(no_file),
        Case::new("export to a table", &table).after(no_table),
    ];
    if is_again {
        let again = [&table[..], &["--full-refresh"]].concat();
        cases.push(Case::new("the same into the same", &again));
        cases.push(Case::new("1 % changed", &again).after(|folder| edit(folder, 100)));
        cases.push(Case::new("1 % vanished", &again).after(|folder| remove(folder, 100)));
        let other = |folder: &Path| {
            // Every row differs: another zone moves every time.
            let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
            if !config.contains("timezone") {
                let other = config.replace('}', r#", "timezone": "America/Bogota"}"#);
                std::fs::write(folder.join("config.json"), other).unwrap();
            }
        };
        cases.push(Case::new("all changed into the same", &again).after(other));
    }
    let python = std::env::var("PYTHON").unwrap_or_else(|_| {
        concat!(env!("CARGO_MANIFEST_DIR"), "/.venvs/export/python/bin/python").into()
    });
    let has_duckdb = Path::new(&python).exists() && !is_again;
    if has_duckdb {
        cases.push(Case::new("DuckDB from a file", &[&python, "-c", DUCKDB]));
    }
    let measured = bench.measure(cases);
    let size = |name: &str| {
        std::fs::metadata(bench.folder.path().join(name)).map(|file| file.len()).unwrap_or(0)
    };
    println!("file.parquet: {} bytes", size("file.parquet"));
    if is_again {
        let ratio = |one: usize, of: usize| {
            measured[one].wall.as_secs_f64() / measured[of].wall.as_secs_f64()
        };
        println!("nothing changed: {:.2} x the first export", ratio(4, 3));
        println!("1 % vanished: {:.2} x 1 % changed", ratio(6, 5));
    }
    if has_duckdb {
        let ratio = measured[4].wall.as_secs_f64() / measured[2].wall.as_secs_f64();
        println!("DuckDB takes {ratio:.1} x as long as the export to a file");
        let share = size("file.parquet") as f64 / size("duckdb.parquet") as f64;
        println!("the file is {share:.2} x DuckDB's {} bytes", size("duckdb.parquet"));
    }
}
