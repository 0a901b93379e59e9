use serde_json::json;

use super::*;

fn parse(json: &str) -> Result<(Config, Vec<String>)> {
    Config::parse(json.as_bytes(), "config.json")
}

fn fault(member: &str) -> String {
    let json = format!(r#"{{"authentication_token": "s3cr3t-t0k3n", {member}}}"#);
    parse(&json).unwrap_err().to_string()
}

#[test]
fn only_the_token_is_required_and_the_rest_has_defaults() {
    let (config, warnings) = parse(r#"{"authentication_token": "abcdefgh"}"#).unwrap();
    assert!(warnings.is_empty());
    assert_eq!(config.start_date, None);
    assert!(config.include_inactive);
    assert_eq!(config.zone, Zone::UTC);
    assert_eq!(config.lookback_hours, 1);
    assert!(config.filters.is_empty());
    assert_eq!(config.max_rejects, None);
    assert_eq!(config.base_url.as_str(), "https://api.kometsales.com/api");
    assert_eq!(config.request_timeout, Duration::from_secs(300));
    assert_eq!(config.retry_window, Duration::from_secs(300));
}

#[test]
fn numbers_and_booleans_are_also_taken_as_text() {
    let (config, _) = parse(
        r#"{"authentication_token": "abcdefgh", "include_inactive": "False", "lookback_hours": "7",
            "customer_id": 99999999999999999999, "sales_person_id": "18", "max_rejects": "3"}"#,
    )
    .unwrap();
    assert!(!config.include_inactive);
    assert_eq!(config.lookback_hours, 7);
    assert_eq!(config.filters["customer_id"], "99999999999999999999");
    assert_eq!(config.filters["sales_person_id"], "18");
    assert_eq!(config.max_rejects, Some(3));
}

#[test]
fn empty_text_and_null_are_absent() {
    let (config, _) = parse(
        r#"{"authentication_token": "abcdefgh", "start_date": "", "lookback_hours": null, "code": "",
            "include_inactive": "", "base_url": ""}"#,
    )
    .unwrap();
    assert_eq!(config.start_date, None);
    assert_eq!(config.lookback_hours, 1);
    assert!(config.filters.is_empty());
    assert!(config.include_inactive);
}

#[test]
fn every_fault_names_its_key_and_what_is_accepted() {
    for (member, key, accepted) in [
        (r#""start_date": "2024-02-30""#, "start_date", "YYYY-MM-DD"),
        (r#""start_date": "01/02/2024""#, "start_date", "YYYY-MM-DD"),
        (r#""include_inactive": "yes""#, "include_inactive", "true or false"),
        (r#""include_inactive": 1.5"#, "include_inactive", "true or false"),
        (r#""timezone": "Bogota""#, "timezone", "IANA"),
        (r#""lookback_hours": 721"#, "lookback_hours", "0 to 720"),
        (r#""lookback_hours": -1"#, "lookback_hours", "0 to 720"),
        (r#""lookback_hours": 1.5"#, "lookback_hours", "0 to 720"),
        (r#""customer_id": "123456789012345678901""#, "customer_id", "20 digits"),
        (r#""customer_id": "12a""#, "customer_id", "20 digits"),
        (r#""location_id": -7"#, "location_id", "20 digits"),
        (r#""code": "12345678901""#, "code", "10 characters"),
        (r#""name": 7"#, "name", "200 characters"),
        (r#""max_rejects": "many""#, "max_rejects", "whole number"),
        (r#""base_url": "http://api.kometsales.com/api""#, "base_url", "https://"),
        (r#""base_url": "https://user@example.com""#, "base_url", "without user"),
        (r#""base_url": "https://example.com/?a=b""#, "base_url", "query"),
        (r#""base_url": "ftp://example.com""#, "base_url", "https://"),
        (r#""base_url": "api.kometsales.com""#, "base_url", "https://"),
        (r#""request_timeout_seconds": 0"#, "request_timeout_seconds", "from 1"),
        (r#""retry_window_seconds": 86401"#, "retry_window_seconds", "86400"),
    ] {
        let error = fault(member);
        assert!(error.contains(&format!("`{key}`")), "{member}: {error}");
        assert!(error.contains(accepted), "{member}: {error}");
    }
}

#[test]
fn a_filter_counts_characters_and_not_bytes() {
    let name = "é".repeat(200);
    let json = format!(r#"{{"authentication_token": "abcdefgh", "name": "{name}"}}"#);
    assert_eq!(parse(&json).unwrap().0.filters["name"], name);
}

#[test]
fn a_missing_empty_or_blank_token_is_reported() {
    for json in ["{}", r#"{"authentication_token": ""}"#, r#"{"authentication_token": "  "}"#] {
        let error = parse(json).unwrap_err().to_string();
        assert!(error.contains("`authentication_token` is missing"), "{error}");
    }
}

#[test]
fn no_secret_is_shown_even_of_a_file_that_is_no_object() {
    for json in [
        r#""s3cr3t-t0k3n""#,
        r#"["s3cr3t-t0k3n"]"#,
        r#"{"authentication_token": ["s3cr3t-t0k3n"]}"#,
        r#"{"authentication_token": "s3cr3t-t0k3n"#,
        r#"{"authentication_token": "s3cr3t-t0k3n", "name": ["s3cr3t-t0k3n"]}"#,
        r#"{"s3cr3t-t0k3n": "authentication_token"}"#,
        r#"{"authentication_token": "s3cr3t-t0k3n", "s3cr3t-t0k3n": 1, "name": []}"#,
    ] {
        let error = parse(json).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cr3t-t0k3n"), "{error}");
    }
}

#[test]
fn unknown_keys_are_warned_of_or_refused_with_the_nearest_known_one() {
    let json = br#"{"authentication_token": "abcdefgh", "time_zone": "UTC", "x\u001b": 1}"#;
    let parts = [(json.to_vec(), "test".to_owned())];
    let (_, warnings) = Config::merge(&parts, &[], UnknownKeys::Warn).unwrap();
    assert_eq!(
        warnings,
        [
            "`time_zone` is not a setting (did you mean `timezone`?). It is ignored.",
            "`x\\u{1b}` is not a setting. It is ignored.",
        ]
    );
    let refused = Config::merge(&parts, &[], UnknownKeys::Refuse).unwrap_err();
    assert_eq!(refused.kind(), crate::error::Kind::Config);
    assert!(refused.to_string().contains("did you mean `timezone`?"), "{refused}");
    assert!(Config::merge(&parts, &["time_zone", "x\u{1b}"], UnknownKeys::Refuse).is_ok());
}

#[test]
fn a_token_has_8_characters_and_neither_quotes_nor_blanks_around_it() {
    for (token, fault) in [
        ("e", "shorter than 8"),
        ("1234567", "shorter than 8"),
        ("'abcdefghij'", "quotes"),
        ("\"abcdefghij\"", "quotes"),
        ("\"abcdefghij", "quotes"),
        ("“abcdefghij”", "quotes"),
        ("`abcdefghij`", "quotes"),
        ("«abcdefghij»", "quotes"),
        ("abcdefghij’", "quotes"),
        ("\u{feff}abcdefghij", "not seen"),
        ("abcde\u{200b}fghij", "not seen"),
        ("abcdefghij\u{a0}", "blanks"),
        (" abcdefghij", "blanks"),
        ("abcdefghij\n", "line break"),
        (&"x".repeat(201), "longer than 200"),
    ] {
        let json = json!({"authentication_token": token}).to_string();
        let error = parse(&json).unwrap_err().to_string();
        assert!(error.contains(fault), "{token:?}: {error}");
        assert!(token.len() < 8 || !error.contains(token.trim()), "{error}");
    }
    for token in ["12345678", "ñandúñandú", "ab'cd\"efgh"] {
        let json = json!({"authentication_token": token}).to_string();
        assert!(parse(&json).is_ok(), "{token}");
    }
}

#[test]
fn a_fault_shows_the_value_unless_it_may_be_a_secret() {
    for (member, shown) in [
        (r#""timezone": "Bogota""#, r#"`timezone` is "Bogota"; expected"#),
        (r#""lookback_hours": 721"#, "`lookback_hours` is 721; expected"),
        (r#""name": ["a"]"#, r#"`name` is ["a"]; expected"#),
        (r#""base_url": "ftp://host/x""#, r#"`base_url` is "ftp://host/x"; expected"#),
        (r#""base_url": "https://me:hidden@host""#, "`base_url` is not accepted; expected"),
        (r#""base_url": "https://host/?t=hidden""#, "`base_url` is not accepted; expected"),
        (r#""timezone": "s3cr3t-t0k3n""#, r#"`timezone` is "[redacted]"; expected"#),
    ] {
        let error = fault(member);
        assert!(error.contains(shown), "{member}: {error}");
        assert!(!error.contains("hidden"), "{error}");
    }
    // A token is looked for before a long value is cut, or its beginning would be shown.
    for before in 30..70 {
        let error = fault(&format!(r#""timezone": "{}s3cr3t-t0k3n""#, "é".repeat(before)));
        assert!(!error.contains("s3cr"), "{before}: {error}");
    }
    let long = fault(&format!(r#""timezone": "{}""#, "é".repeat(500)));
    assert!(long.chars().count() < 300 && long.contains('…'), "{long}");
}

#[test]
fn plain_http_is_taken_on_loopback_alone() {
    for base in ["http://127.0.0.1:80/api", "http://localhost:8080/api/", "http://[::1]/api"] {
        let json = format!(r#"{{"authentication_token": "abcdefgh", "base_url": "{base}"}}"#);
        assert!(parse(&json).is_ok(), "{base}");
    }
}

#[test]
fn a_byte_order_mark_before_the_configuration_is_skipped() {
    let json = "\u{feff}{\"authentication_token\": \"abcdefgh\"}";
    assert!(parse(json).is_ok());
}

#[test]
fn the_filters_of_every_stream_are_settings() {
    for filter in crate::streams::ALL.iter().flat_map(|stream| stream.filters) {
        assert!(is_filter(filter.setting), "{}", filter.setting);
        assert!(settings::setting(filter.setting).is_some(), "{}", filter.setting);
    }
}
