//! The whole of `read`, from a socket to `/dev/null`, beside `curl` of the same URL in the same run.
//!
//! ```sh
//! cargo bench --bench read                      # 1,000,000 customers
//! CUSTOMERS=5000000 ROUNDS=3 cargo bench --bench read
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods
)]

mod beside_curl;

use beside_curl::{Bench, Case};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kometsales");

fn main() {
    let bench = Bench::start(7);
    let catalog = r#"{"streams": [{"stream": {"name": "customers", "json_schema": {}}, "sync_mode": "incremental"}]}"#;
    std::fs::write(bench.folder.path().join("catalog.json"), catalog).unwrap();
    let read = [PROGRAM, "read", "--config", "config.json", "--catalog", "catalog.json"];
    let measured = bench.measure(vec![
        Case::new("curl -o FILE", &["curl", "-s", "-o", "copy", &bench.url]),
        Case::new("kometsales read", &read),
        Case::new("kometsales spec", &[PROGRAM, "spec"]),
    ]);
    let ratio = measured[2].wall.as_secs_f64() / measured[1].wall.as_secs_f64();
    println!("kometsales read is {ratio:.2} x curl -o FILE");
}
