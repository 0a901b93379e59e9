//! What a machine says of its network: name servers and proxies. What cannot be meant is refused before anything is sent,
//! since libraries go on without it, and in another way.

use std::path::Path;

use hickory_resolver::system_conf::read_system_conf;
use http::Uri;

use crate::document::BYTE_ORDER_MARK;
use crate::error::{Error, Result};

/// Where a machine names its name servers (`resolv.conf(5)`).
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Where a machine names hosts itself (`hosts(5)`).
const HOSTS: &str = "/etc/hosts";

/// Variables that name a proxy for a URL that begins with `https`.
pub const PROXY_VARIABLES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];

/// The proxies that the environment names, all of which can be used.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// What the first of them is called.
    variable: Option<&'static str>,
    fault: Option<&'static str>,
}

impl Proxies {
    /// Reads the variables of [`PROXY_VARIABLES`] through `value`.
    pub fn of(value: impl Fn(&str) -> Option<String>) -> Self {
        let mut proxies = Self::default();
        for name in PROXY_VARIABLES {
            let Some(value) = value(name).filter(|value| !value.trim().is_empty()) else {
                continue;
            };
            proxies.variable.get_or_insert(name);
            if !is_proxy(&value) {
                proxies.fault.get_or_insert(name);
            }
        }
        proxies
    }

    /// The variable that names a proxy, if there is one.
    pub fn variable(&self) -> Option<&'static str> {
        self.variable
    }

    /// # Errors
    /// `Config`: a variable names no proxy that can be used. Its value may hold a password and is not shown.
    pub fn check(&self) -> Result<()> {
        match self.fault {
            None => Ok(()),
            Some(name) => Err(Error::config(format!(
                "{name} names no proxy that can be used. Set http://host:port or https://host:port, with a password percent-encoded, or unset it."
            ))),
        }
    }
}

/// Checks the file of CA certificates that the environment names (`SSL_CERT_FILE`). The TLS library goes on without one
/// that it cannot read, and then trusts nobody.
///
/// # Errors
/// `Config`: it cannot be read, or holds no certificate in the form of PEM.
pub fn check_certificates(file: &Path) -> Result<()> {
    let refuse = |why: &str| {
        Error::config(format!(
            "SSL_CERT_FILE names {}, which {why}. Name a file of certificates that begin with -----BEGIN CERTIFICATE-----.",
            file.display()
        ))
    };
    let content =
        std::fs::read(file).map_err(|error| refuse(&format!("cannot be read: {error}")))?;
    if content.starts_with(BYTE_ORDER_MARK) {
        return Err(refuse("begins with a byte order mark"));
    }
    let marker = b"-----BEGIN CERTIFICATE-----";
    if !content.windows(marker.len()).any(|part| part == marker) {
        return Err(refuse("holds no certificate in the form of PEM"));
    }
    Ok(())
}

/// Whether the HTTP library takes it for a proxy; what it does not take it passes by in silence.
fn is_proxy(value: &str) -> bool {
    // A blank around it is no part of a URL: the library then passes the proxy by.
    let Ok(uri) = value.parse::<Uri>() else { return false };
    let is_http = uri.scheme_str().is_none_or(|scheme| matches!(scheme, "http" | "https"));
    let Some(authority) = uri.authority() else { return false };
    let place = authority.as_str().rsplit('@').next().unwrap_or_default();
    is_http
        && !authority.host().is_empty()
        && (place == authority.host() || uri.port_u16().is_some())
}

/// Whether the name of a host can be looked up here.
///
/// # Errors
/// `Config`: this machine has no name server. No other one is ever asked.
pub fn check_name(host: &str) -> Result<()> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_address = bare.parse::<std::net::IpAddr>().is_ok();
    if is_address || bare == "localhost" || is_in_hosts(bare) {
        return Ok(());
    }
    match read_system_conf() {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::config(format!(
            "The name {host} cannot be looked up: {RESOLV_CONF} names no name server that can be used ({error}). Add one: a line `nameserver ADDRESS`."
        ))),
    }
}

fn is_in_hosts(host: &str) -> bool {
    let hosts = std::fs::read_to_string(HOSTS).unwrap_or_default();
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines
        .flat_map(|line| line.split_whitespace().skip(1))
        .any(|name| name.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &'static str) -> Proxies {
        Proxies::of(|wanted| (wanted == name).then(|| value.to_owned()))
    }

    #[test]
    fn a_proxy_that_would_be_passed_by_is_refused_by_its_name_alone() {
        for name in PROXY_VARIABLES {
            for value in [
                "http://DOMAIN\\me:p@ss/x@proxy:3128",
                "::::",
                "ftp://proxy",
                "http://",
                "socks5://hidden:1080",
                "socks4a://proxy",
                "http://proxy:port",
                "http://me:hid den@proxy",
                "http://proxy:3128 ",
                " http://proxy:3128",
                "http://proxy:3128\n",
                "\"http://proxy:3128\"",
                "http:/proxy:3128",
                "//proxy:3128",
                "http://proxy:99999",
                "http://me:hid#den@proxy",
            ] {
                let proxies = with(name, value);
                assert_eq!(proxies.variable(), Some(name));
                let error = proxies.check().expect_err(value);
                assert_eq!(error.kind(), crate::error::Kind::Config);
                assert!(error.to_string().starts_with(name), "{error}");
                assert!(!error.to_string().contains("hid"), "{error}");
            }
        }
    }

    #[test]
    fn usual_proxies_and_empty_variables_are_taken() {
        for value in [
            "http://proxy:3128",
            "proxy:3128",
            "10.0.0.1:80",
            "https://me:p%40ss@proxy/",
            "http://[::1]:8080",
        ] {
            assert!(with("HTTPS_PROXY", value).check().is_ok(), "{value}");
        }
        let none = with("HTTPS_PROXY", "  ");
        assert!(none.check().is_ok() && none.variable().is_none());
    }

    #[test]
    fn a_file_of_certificates_that_the_tls_library_would_pass_by_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        for (name, content, fault) in [
            ("missing", None, Some("cannot be read")),
            ("der", Some(b"\x30\x82".to_vec()), Some("no certificate")),
            ("mark", Some(format!("\u{feff}{pem}").into_bytes()), Some("byte order mark")),
            ("pem", Some(pem.as_bytes().to_vec()), None),
        ] {
            let file = folder.path().join(name);
            content.iter().for_each(|content| std::fs::write(&file, content).unwrap());
            let checked = check_certificates(&file).map_err(|error| error.to_string());
            assert_eq!(checked.is_err(), fault.is_some(), "{checked:?}");
            if let (Err(message), Some(fault)) = (checked, fault) {
                assert!(message.contains(fault) && message.contains(name), "{message}");
            }
        }
    }

    #[test]
    fn addresses_and_this_machine_need_no_name_server() {
        for host in ["127.0.0.1", "[::1]", "::1", "localhost", "10.1.2.3"] {
            assert!(check_name(host).is_ok(), "{host}");
        }
    }
}
