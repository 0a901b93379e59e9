//! From a URL and the environment to a store.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use tokio::runtime::Runtime;
use url::Url;

use super::clock::{Clock, Machine};
use super::connector::Connector;
use super::create::{Creating, Sent};
use super::{Place, Store};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::network::{Proxies, check_name};
use crate::secret::{Redactor, Token};

/// The clock bounds the tries of a request, not their number.
const MAX_RETRIES: usize = 10_000;

/// A secret shorter than this is none, and would be found in every text.
const MIN_SECRET_BYTES: usize = 8;

/// How a store is reached.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the environment says to the stores' own tools: `AWS_…`, `GOOGLE_…`, `AZURE_…`.
    pub settings: Vec<(String, String)>,
    /// For how long a request that failed for a passing reason is sent again.
    pub retry_window: Duration,
    /// Nobody else writes there, so that a store which cannot create conditionally will do.
    pub single_writer: bool,
    /// The user's wish to end.
    pub interrupt: Interrupt,
    /// The proxies that the environment names.
    pub proxies: Proxies,
}

/// What a store is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The objects, as their library reaches them.
    pub objects: Arc<dyn ObjectStore>,
    /// What pauses between tries are measured and waited for by.
    pub clock: Arc<dyn Clock>,
    /// What waits for the network, of several threads.
    pub runtime: Arc<Runtime>,
}

/// Settings of the stores' own tools that the library calls by another name.
const OTHER_NAMES: [(&str, &str); 3] = [
    ("azure_storage_account", "azure_storage_account_name"),
    ("azure_storage_key", "azure_storage_account_key"),
    ("azure_storage_allow_http", "azure_allow_http"),
];

/// Settings that give the library credentials without a profile.
const AWS_CREDENTIALS: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
];

impl Store {
    /// The store of a place. Nothing is asked of it yet.
    ///
    /// # Errors
    /// `Config`: its settings are not complete.
    pub fn open(place: &Place, options: &Options) -> Result<Self> {
        let url = place.url();
        let settings = &options.settings;
        if !place.is_local() {
            check_endpoints(settings)?;
            options.proxies.check()?;
            if options.proxies.variable().is_none() {
                check_name(&endpoint_host(url, settings))?;
            }
        }
        let bare: Arc<dyn ObjectStore> = match url.scheme() {
            "s3" | "s3a" => s3(url, settings, options.retry_window)?,
            "gs" => gcs(url, settings, options.retry_window)?,
            "az" | "abfs" | "abfss" => azure(url, settings, options.retry_window)?,
            _ => Arc::new(LocalFileSystem::new().with_fsync(true)),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::system(format!("The network cannot be used: {error}. Run again."))
                    .caused_by(error)
            })?;
        let clock = Arc::new(Machine(Instant::now()));
        Ok(Self::of(place, options, Parts { objects: bare, clock, runtime: Arc::new(runtime) }))
    }

    /// The store of a place, of parts that the caller brings.
    pub fn of(place: &Place, options: &Options, parts: Parts) -> Self {
        let Parts { objects: bare, clock, runtime } = parts;
        let Options { settings, single_writer, retry_window, .. } = options;
        let sent = Arc::new(Sent::default());
        let objects =
            Creating::new(bare.clone(), clock, sent.clone(), *single_writer, *retry_window);
        Self {
            objects: Arc::new(objects),
            sent,
            bare,
            runtime,
            hint: hint(place.url().scheme(), settings),
            place: place.clone(),
            single_writer: *single_writer,
            secrets: Arc::new(secrets(settings)),
            interrupt: options.interrupt.clone(),
            is_proved: false,
        }
    }
}

/// Settings that name a store by its URL.
const ENDPOINTS: [&str; 6] = [
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT",
    "GOOGLE_BASE_URL",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_ENDPOINT",
];

/// Refuses an endpoint that is no URL: the library for stores ends the process at one. Its value may hold a secret.
fn check_endpoints(settings: &[(String, String)]) -> Result<()> {
    for name in ENDPOINTS {
        let Some(text) = value(settings, name) else { continue };
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if url.is_none_or(|url| url.host_str().is_none_or(str::is_empty)) {
            return Err(Error::config(format!(
                "{name} is no URL of a store: expected https://host or http://host:port. Correct it, or unset it."
            )));
        }
    }
    Ok(())
}

/// The host that is asked, where a setting names one; else a name of the kind that its provider uses.
fn endpoint_host(url: &Url, settings: &[(String, String)]) -> String {
    let names: &[&str] = match url.scheme() {
        "gs" => &["GOOGLE_BASE_URL"],
        "s3" | "s3a" => &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"],
        _ => &["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"],
    };
    let named = names.iter().find_map(|name| value(settings, name));
    let host = named.and_then(|endpoint| Url::parse(endpoint).ok()?.host_str().map(str::to_owned));
    // A connection string, an emulator or a key file may name one of this machine.
    let is_elsewhere = url.scheme() != "s3" && url.scheme() != "s3a" && named.is_none();
    host.unwrap_or_else(|| {
        if is_elsewhere { "localhost".to_owned() } else { "s3.amazonaws.com".to_owned() }
    })
}

/// The settings that begin with a word, as the library takes them.
fn known<K: FromStr>(settings: &[(String, String)], word: &str) -> Vec<(K, String)> {
    let known = |(name, value): &(String, String)| {
        let name = name.to_ascii_lowercase();
        let other = OTHER_NAMES.iter().find(|(theirs, _)| *theirs == name);
        let name = other.map_or(name.as_str(), |(_, ours)| *ours);
        Some((name.starts_with(word).then(|| name.parse().ok())??, value.clone()))
    };
    settings.iter().filter(|(_, value)| !value.is_empty()).filter_map(known).collect()
}

fn value<'a>(settings: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = settings.iter().find(|(known, value)| known == name && !value.is_empty());
    found.map(|(_, value)| value.as_str())
}

fn s3(url: &Url, settings: &[(String, String)], window: Duration) -> Result<Arc<dyn ObjectStore>> {
    let has_credentials = AWS_CREDENTIALS.iter().any(|name| value(settings, name).is_some());
    if let Some(profile) = value(settings, "AWS_PROFILE").filter(|_| !has_credentials) {
        return Err(Error::config(format!(
            "AWS_PROFILE ({profile}) cannot be read here. Put its credentials into the environment: eval \"$(aws configure export-credentials --format env)\"."
        )));
    }
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(url.host_str().unwrap_or_default())
        .with_http_connector(Connector)
        .with_retry(retry(window));
    for (key, value) in known::<AmazonS3ConfigKey>(settings, "aws_") {
        builder = builder.with_config(key, value);
    }
    // Names are resolved as everywhere else in this program, which a static binary depends on.
    let names = AmazonS3ConfigKey::Client(ClientConfigKey::RandomizeAddresses);
    built(builder.with_config(names, "false").build(), "AWS_")
}

fn gcs(url: &Url, settings: &[(String, String)], window: Duration) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(url.host_str().unwrap_or_default())
        .with_http_connector(Connector)
        .with_retry(retry(window));
    for (key, value) in known::<GoogleConfigKey>(settings, "google_") {
        builder = builder.with_config(key, value);
    }
    let names = GoogleConfigKey::Client(ClientConfigKey::RandomizeAddresses);
    built(builder.with_config(names, "false").build(), "GOOGLE_")
}

fn azure(
    url: &Url,
    settings: &[(String, String)],
    window: Duration,
) -> Result<Arc<dyn ObjectStore>> {
    let mut builder =
        MicrosoftAzureBuilder::new().with_http_connector(Connector).with_retry(retry(window));
    // An abfss URL names the account too, and the library reads that form itself.
    builder = match url.scheme() {
        "az" => builder.with_container_name(url.host_str().unwrap_or_default()),
        _ => builder.with_url(url.as_str()),
    };
    let connection = value(settings, "AZURE_STORAGE_CONNECTION_STRING").unwrap_or_default();
    for part in connection.split(';') {
        let Some((name, value)) = part.split_once('=') else { continue };
        let key = match name {
            "AccountName" => AzureConfigKey::AccountName,
            "AccountKey" => AzureConfigKey::AccessKey,
            "SharedAccessSignature" => AzureConfigKey::SasKey,
            "BlobEndpoint" => AzureConfigKey::Endpoint,
            _ => continue,
        };
        builder = builder.with_config(key, value);
    }
    for (key, value) in known::<AzureConfigKey>(settings, "azure_") {
        builder = builder.with_config(key, value);
    }
    let names = AzureConfigKey::Client(ClientConfigKey::RandomizeAddresses);
    built(builder.with_config(names, "false").build(), "AZURE_")
}

/// What is missing in the environment where nothing is there to prove who asks.
fn hint(scheme: &str, settings: &[(String, String)]) -> Option<&'static str> {
    let has = |names: &[&str]| names.iter().any(|name| value(settings, name).is_some());
    match scheme {
        "s3" | "s3a" if !has(&AWS_CREDENTIALS) => Some(
            "No AWS_ACCESS_KEY_ID is in the environment, so this machine's own role was asked for.",
        ),
        "gs" if !settings.iter().any(|(name, _)| name.starts_with("GOOGLE_")) => Some(
            "No GOOGLE_APPLICATION_CREDENTIALS is in the environment, so this machine's own account was asked for.",
        ),
        "az" | "abfs" | "abfss" if !settings.iter().any(|(name, _)| name.starts_with("AZURE_")) => {
            Some("No AZURE_STORAGE_ACCOUNT_NAME is in the environment.")
        }
        _ => None,
    }
}

fn built<S: ObjectStore>(
    store: object_store::Result<S>,
    word: &str,
) -> Result<Arc<dyn ObjectStore>> {
    match store {
        Ok(store) => Ok(Arc::new(store)),
        // The library's message may quote a setting.
        Err(error) => Err(Error::config(format!(
            "The store cannot be reached with the settings in the environment ({word}…): check them against the documentation of its own tools."
        ))
        .caused_by(error)),
    }
}

fn retry(window: Duration) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: MAX_RETRIES,
        retry_timeout: window,
    }
}

/// The values among the settings that nobody may see.
fn secrets(settings: &[(String, String)]) -> Redactor {
    let words = ["KEY", "SECRET", "TOKEN", "SAS", "PASSWORD", "CONNECTION"];
    let is_secret = |name: &str| {
        let name = name.to_ascii_uppercase();
        !name.ends_with("_ID") && words.iter().any(|word| name.contains(word))
    };
    let secret = settings.iter().filter(|(name, _)| is_secret(name));
    // A proxy or an endpoint may be given with a password.
    let passwords = settings
        .iter()
        .filter_map(|(_, value)| Url::parse(value).ok()?.password().map(str::to_owned));
    let parts = secret.flat_map(|(_, value)| {
        // A connection string is many settings in one.
        let parts = value.split(';').filter_map(|part| part.split_once('=')).map(|(_, part)| part);
        std::iter::once(value.as_str()).chain(parts)
    });
    let parts = parts.map(str::to_owned).chain(passwords);
    parts.filter(|part| part.len() >= MIN_SECRET_BYTES).map(Token::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(settings: &[(&str, &str)]) -> Options {
        Options {
            settings: settings
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            retry_window: Duration::from_secs(1),
            single_writer: false,
            interrupt: Interrupt::default(),
            proxies: Proxies::default(),
        }
    }

    fn open(to: &str, settings: &[(&str, &str)]) -> Result<Store> {
        Store::open(&Place::parse(to)?, &options(settings))
    }

    #[test]
    fn every_documented_place_is_taken() {
        let aws = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
        let azure = [("AZURE_STORAGE_ACCOUNT", "acc"), ("AZURE_STORAGE_KEY", "a2V5a2V5a2V5")];
        let google = [(
            "GOOGLE_SERVICE_ACCOUNT_KEY",
            r#"{"private_key": "private_key", "private_key_id": "private_key_id", "client_email":"client_email", "disable_oauth":true}"#,
        )];
        for (to, settings, shown) in [
            ("s3://b/some/path/", &aws[..], "s3://b/some/path"),
            ("s3://b", &aws, "s3://b/"),
            ("gs://b/p", &google, "gs://b/p"),
            ("az://c/p", &azure, "az://c/p"),
            ("file:///d/e", &[], "/d/e"),
            ("/d/e/", &[], "/d/e"),
            ("/d/with blank", &[], "/d/with blank"),
        ] {
            let store = open(to, settings).unwrap_or_else(|error| panic!("{to}: {error}"));
            assert_eq!(store.shown(store.path()), shown);
        }
    }

    #[test]
    fn an_endpoint_that_is_no_url_is_refused_by_its_name() {
        for name in ENDPOINTS {
            for text in
                ["nohost", "127.0.0.1:9000", "localhost:9000", "https://", "ftp://hidden", " "]
            {
                let to = match name.get(..3) {
                    Some("AWS") => "s3://b/p",
                    Some("GOO") => "gs://b/p",
                    _ => "az://c/p",
                };
                let error = open(to, &[(name, text), ("AWS_ACCESS_KEY_ID", "a")]).unwrap_err();
                assert_eq!(error.kind(), crate::error::Kind::Config);
                assert!(error.to_string().starts_with(name), "{text}: {error}");
                assert!(!error.to_string().contains("hidden"), "{error}");
            }
        }
    }

    #[test]
    fn a_profile_alone_is_refused_with_the_command_that_helps() {
        let error = open("s3://b/p", &[("AWS_PROFILE", "flowers")]).unwrap_err();
        assert!(error.to_string().contains("aws configure export-credentials --format env"));
        let both = [
            ("AWS_PROFILE", "flowers"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
        ];
        assert!(open("s3://b/p", &both).is_ok());
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        let settings = [
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "s3cr3ts3cr3t"),
            ("AWS_REGION", "eu-west-1-and-more"),
            ("AZURE_STORAGE_CONNECTION_STRING", "AccountName=acc;AccountKey=k3yk3yk3y=="),
        ];
        let options = options(&settings);
        let secrets = secrets(&options.settings);
        let redact = |text: &str| secrets.redact(text);
        assert_eq!(redact("a s3cr3ts3cr3t b k3yk3yk3y== c"), "a [redacted] b [redacted] c");
        assert_eq!(redact("AKIAEXAMPLE eu-west-1-and-more"), "AKIAEXAMPLE eu-west-1-and-more");
    }
}
