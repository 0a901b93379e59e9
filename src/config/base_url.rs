//! Which URLs the API may be at.

use std::net::IpAddr;

use url::{Host, Url};

use super::settings::DEFAULT_BASE_URL;

/// HTTPS anywhere, HTTP on loopback, and nothing in the URL that a base must not have.
pub(super) fn is_allowed(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => return false,
    };
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    plain && (url.scheme() == "https" || (url.scheme() == "http" && loopback))
}

/// A URL for a configuration that is going to be refused.
#[expect(clippy::expect_used, reason = "the default is a constant, and a test parses it")]
pub(super) fn nowhere() -> Url {
    Url::parse(DEFAULT_BASE_URL).expect("the default base URL is a URL")
}
