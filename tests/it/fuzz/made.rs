//! Inputs that are made up whole, by the form that is expected, with what people and programs get wrong in it.

use std::fmt::Write as _;

use chrono::DateTime;
use fastrand::Rng;
use kometsales::config::settings::{Accepts, SETTINGS};
use kometsales::streams::customers::CUSTOMERS;
use serde_json::{Map, Value, json};

use super::checks::redaction::MARKER;
use super::mutated::Pool;

/// One of some.
pub(super) fn one<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    rng.choice(of).copied().unwrap_or_default()
}

/// Whether something happens that happens once in so many times.
pub(super) fn once_in(rng: &mut Rng, times: u32) -> bool {
    rng.u32(..times) == 0
}

/// A configuration: most settings left out, most of the others right.
pub(super) fn configuration(rng: &mut Rng, pool: &Pool) -> Vec<u8> {
    let mut members = Map::new();
    for setting in SETTINGS {
        if !setting.is_required() && !once_in(rng, 3) {
            continue;
        }
        let value = match setting.accepts {
            _ if once_in(rng, 12) => {
                rng.choice([Value::Null, json!(7), json!("x"), json!(MARKER)]).unwrap_or_default()
            }
            Accepts::Secret { least, .. } => {
                let length = if once_in(rng, 4) { rng.usize(..=210) } else { rng.usize(least..40) };
                let text: String = (0..length).map(|_| rng.alphanumeric()).collect();
                let around = if once_in(rng, 8) {
                    one(rng, &["\"", " ", "'", "“", "\n", "%", "é"])
                } else {
                    ""
                };
                json!(format!("{around}{text}{around}"))
            }
            Accepts::Fields { .. } => {
                let fields = (0..rng.usize(..4)).map(|_| match rng.u8(..12) {
                    0 => "nmae",
                    1 => "_extra",
                    2 => "",
                    _ => rng.choice(CUSTOMERS.fields).map_or("", |field| field.name),
                });
                let fields: Vec<&str> = fields.collect();
                json!(fields.join(one(rng, &[",", " , ", ", ", ",", ";"])))
            }
            Accepts::Text { most } => {
                let length = if once_in(rng, 4) { most + rng.usize(..2) } else { rng.usize(..20) };
                json!(
                    (0..length)
                        .map(|_| if once_in(rng, 9) { 'é' } else { rng.alphanumeric() })
                        .collect::<String>()
                )
            }
            Accepts::Digits { .. } => number(rng, u64::MAX),
            Accepts::Integer { most, .. } => number(rng, most),
            Accepts::Boolean { .. } => match rng.u8(..4) {
                0 => json!(rng.bool()),
                1 => json!(rng.u8(..2)),
                _ => json!(one(rng, &["true", "FALSE", "1", "0", "yes", "True "])),
            },
            Accepts::Date => {
                let text = String::from_utf8(date(rng, pool)).unwrap_or_default();
                json!(text.get(..10).unwrap_or(&text))
            }
            Accepts::Zone => json!(one(
                rng,
                &[
                    "UTC",
                    "America/Bogota",
                    "EST",
                    "Etc/GMT+5",
                    "utc",
                    "Bogota",
                    "+05:00",
                    "Asia/Kolkata"
                ]
            )),
            Accepts::Url { .. } => json!(one(
                rng,
                &[
                    "https://api.kometsales.com/api",
                    "https://x/",
                    "http://localhost:80/",
                    "http://127.0.0.1:8080/api//",
                    "http://[::1]/",
                    "https://me:k0m3t-s3cr3t@x/",
                    "http://me@localhost/",
                    "https://x/a@b",
                    "https://x/?token=k0m3t-s3cr3t",
                    "http://x/",
                    "https:x",
                    "https://x/#k0m3t-s3cr3t",
                    "ftp://x",
                    "https://é.example/ü",
                    "HTTPS://X:443/%41",
                ]
            )),
        };
        members.insert(setting.key.to_owned(), value);
    }
    if once_in(rng, 6) {
        members.insert(one(rng, &["time_zone", "token", "a\nb", MARKER]).to_owned(), json!(1));
    }
    // What a secret is, may be elsewhere too.
    if once_in(rng, 6)
        && let Some(secret) = members.get("authentication_token").cloned()
        && let Some(setting) = rng.choice(SETTINGS)
    {
        members.insert(setting.key.to_owned(), secret);
    }
    Value::Object(members).to_string().into_bytes()
}

fn number(rng: &mut Rng, most: u64) -> Value {
    let number = match rng.u8(..6) {
        0 => most,
        1 => most.saturating_add(1),
        2 => 0,
        3 => rng.u64(..),
        _ => rng.u64(..most.min(1000)),
    };
    match rng.u8(..8) {
        0 => json!(format!("+{number}")),
        1 => json!(format!("00{number}")),
        2 => json!(number as f64),
        3 => json!(-1),
        4 | 5 => json!(number),
        _ => json!(number.to_string()),
    }
}

/// A time of a record or of a reply, around those at which calendars and clocks change.
pub(super) fn date(rng: &mut Rng, _: &Pool) -> Vec<u8> {
    const CHANGES: [i64; 11] = [
        -62_135_596_800, // 0001-01-01
        253_402_300_799, // 9999-12-31
        -2_717_640_000,  // New York leaves its local mean time
        1_325_239_200,   // Apia skips a day
        1_710_054_000,   // New York, spring of 2024
        1_730_613_600,   // New York, autumn of 2024
        1_728_142_200,   // Lord Howe, half an hour
        1_711_846_800,   // Amsterdam, spring of 2024
        -1_025_745_620,  // Amsterdam, whose offset had seconds
        951_782_400,     // 2000-02-29
        0,
    ];
    let seconds = match rng.choice(CHANGES) {
        Some(change) if !once_in(rng, 4) => change + rng.i64(-90_000..=90_000),
        _ => rng.i64(-62_200_000_000..253_500_000_000),
    };
    let at = DateTime::from_timestamp(seconds, rng.u32(..1_000_000_000)).unwrap_or_default();
    let format = one(
        rng,
        &[
            "%Y-%m-%dT%H:%M:%S",
            "%Y-%m-%dT%H:%M:%S",
            "%Y-%m-%d %H:%M:%S",
            "%Y-%m-%dt%H:%M:%S%.6f",
            "%Y-%m-%dT%H:%M:%S%.9f",
            "%Y-%m-%dT%H:%M:%S%.3f",
            "%a, %d %b %Y %H:%M:%S GMT",
            "%A, %d-%b-%y %H:%M:%S GMT",
            "%a %b %e %H:%M:%S %Y",
            "%a, %d %b %Y %H:%M:%S +0000",
            "%d %b %Y %H:%M:%S EST",
            "%Y-%m-%d",
        ],
    );
    let mut text = at.format(format).to_string();
    if format.starts_with("%Y") && rng.bool() {
        text.push_str(one(
            rng,
            &[
                "Z", "z", "+00:00", "-05", "+0530", "-23:59", "+24:00", "+00:60", " ", "+1",
                "-0500 ", "+-1:00", ".", "Z ",
            ],
        ));
    }
    let mut bytes = text.into_bytes();
    if once_in(rng, 3) {
        let digits: Vec<usize> =
            (0..bytes.len()).filter(|&at| bytes[at].is_ascii_digit()).collect();
        if let Some(&at) = rng.choice(&digits) {
            bytes[at] = rng.u8(b'0'..=b'9');
        }
    }
    bytes
}

/// A place, in the ways in which people write places.
pub(super) fn destination(rng: &mut Rng, pool: &Pool) -> Vec<u8> {
    let mut text = String::new();
    let scheme = one(
        rng,
        &[
            "s3://",
            "s3a://",
            "gs://",
            "az://",
            "abfss://",
            "abfs://",
            "file:///",
            "file://",
            "S3://",
            "s3:/",
            "s3:",
            "s3//",
            "gcs://",
            "http://",
            "C:\\",
            "./",
            "../",
            "/",
            "",
            "",
            "~/",
            "$",
            "/no/such/",
        ],
    );
    text.push_str(one(rng, &["", "", "", "", "", "", "\"", " ", "'"]));
    text.push_str(scheme);
    if once_in(rng, 8) {
        text.push_str(one(
            rng,
            &[
                "key:k0m3t-s3cr3t@",
                "k0m3t-s3cr3t@",
                "c@a.dfs.core.windows.net/",
                "c:k0m3t-s3cr3t@a/",
            ],
        ));
    } else if scheme.to_ascii_lowercase().starts_with("abfs") {
        text.push_str("c@a.dfs.core.windows.net/");
    }
    for part in 0..rng.usize(..4) {
        let separator =
            if part == 0 { "" } else { one(rng, &["/", "/", "/", "//", "\\", "/../", "/./"]) };
        text.push_str(separator);
        let known = one(
            rng,
            &[
                "lake",
                "bucket",
                "x.parquet",
                "x.PARQET",
                "out.csv.gz",
                "_delta_log",
                "a b",
                "ñ",
                "é.tsv",
                "%41",
                "50%",
                "a:b",
                "..",
                ".",
                "-",
                "x.parquet2",
                "100%25",
                "a#b",
                "a?b",
                "*",
                "a@b",
                "x'",
                "e\u{301}",
                "b.s3.amazonaws.com",
                "a\u{0}b",
                "\u{200b}",
                "+",
                "a&b;",
            ],
        );
        if once_in(rng, 6) {
            text.push_str(&String::from_utf8_lossy(pool.word(rng)));
        } else {
            text.push_str(known);
        }
    }
    text.push_str(one(
        rng,
        &[
            "",
            "",
            "",
            "",
            "",
            "/",
            "//",
            "?sig=k0m3t-s3cr3t",
            "#k0m3t-s3cr3t",
            " ",
            "\"",
            "'",
            "\n",
            "/.",
        ],
    ));
    text.into_bytes()
}

/// A secret, and a text that has some of its characters in some way of writing them.
pub(super) fn redaction(rng: &mut Rng, pool: &Pool) -> Vec<u8> {
    const CHARACTERS: [char; 24] = [
        'a', 'a', 'b', 'A', '1', '\\', '\\', '%', '&', '"', ' ', '+', 'é', '🌹', 'u', '2', '5',
        ';', '#', '/', '<', '\'', 'x', '0',
    ];
    let length = 1 + rng.usize(..10);
    let secret: String = (0..length).filter_map(|_| rng.choice(CHARACTERS)).collect();
    let mut text = format!("{secret}\n");
    for _ in 0..1 + rng.usize(..3) {
        if once_in(rng, 3) {
            text.push_str(&String::from_utf8_lossy(pool.word(rng)));
        }
        // The whole of it, or most of it.
        let taken = if once_in(rng, 4) { rng.usize(..length) } else { length };
        for character in secret.chars().take(taken) {
            let mut units = [0; 2];
            let backslashes = "\\".repeat(1 + rng.usize(..9));
            let sign = one(rng, &["%", "%25", "%2525", "&#"]);
            match rng.u8(..12) {
                0 => text
                    .extend(character.to_string().bytes().map(|byte| format!("{sign}{byte:02x}"))),
                1 => text.extend(character.to_string().bytes().map(|byte| format!("%{byte:02X}"))),
                2 => text.extend(
                    character
                        .encode_utf16(&mut units)
                        .iter()
                        .map(|unit| format!("{backslashes}u{unit:04x}")),
                ),
                3 => write!(text, "&#{};", u32::from(character)).unwrap(),
                4 => write!(text, "&#x{:X};", u32::from(character)).unwrap(),
                5 => write!(text, "{backslashes}{character}").unwrap(),
                6 if character == ' ' => text.push('+'),
                6 if character == '&' => text.push_str(one(rng, &["&amp;", "&AMP;", "&am;"])),
                7 => text.extend(character.to_uppercase()),
                _ => text.push(character),
            }
        }
    }
    text.into_bytes()
}
