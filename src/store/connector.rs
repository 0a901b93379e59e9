//! Connections to object stores that follow no redirect, with which a session's token would go to another host,
//! that take a request which the store does not implement for a failure that lasts, and that note what leaves a creation in doubt.

use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use object_store::client::{
    ClientConfigKey, ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind,
    HttpRequest, HttpResponse, HttpService,
};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, NoProxy, Proxy};

use super::doubt::Doubt;

/// Connects as the library does, but for redirects, "501 Not Implemented" and the notes of a [`Doubt`].
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let value = |key| options.get_config_value(&key);
        let is_set = |key| value(key).as_deref() == Some("true");
        let mut builder = ClientBuilder::new()
            .user_agent(concat!("kometsales/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .https_only(!is_set(ClientConfigKey::AllowHttp))
            .tls_danger_accept_invalid_certs(is_set(ClientConfigKey::AllowInvalidCertificates));
        if let Some(limit) = value(ClientConfigKey::Timeout).map(duration).transpose()? {
            builder = builder.timeout(limit);
        }
        if let Some(limit) = value(ClientConfigKey::ConnectTimeout).map(duration).transpose()? {
            builder = builder.connect_timeout(limit);
        }
        if let Some(limit) = value(ClientConfigKey::ReadTimeout).map(duration).transpose()? {
            builder = builder.read_timeout(limit);
        }
        if let Some(url) = value(ClientConfigKey::ProxyUrl) {
            let excluded = value(ClientConfigKey::ProxyExcludes);
            let excluded = excluded.and_then(|names| NoProxy::from_string(&names));
            builder = builder.proxy(Proxy::all(url).map_err(generic)?.no_proxy(excluded));
        }
        if is_set(ClientConfigKey::Http1Only) {
            builder = builder.http1_only();
        }
        Ok(HttpClient::new(Client(builder.build().map_err(generic)?)))
    }
}

#[derive(Debug)]
struct Client(reqwest::Client);

#[async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let doubt = request.extensions().get::<Doubt>().cloned();
        let answer = self.0.call(request).await;
        if let Some(doubt) = doubt {
            doubt.note(&answer);
        }
        let response = answer?;
        let status = response.status();
        if status != StatusCode::NOT_IMPLEMENTED {
            return Ok(response);
        }
        // The library would try it again until the window ends, as it does after every 5xx.
        let body = response.into_body().bytes().await?;
        let text = format!("the store answered {status}: {}", String::from_utf8_lossy(&body));
        Err(HttpError::new_boxed(HttpErrorKind::Unknown, text.into()))
    }
}

fn duration(text: String) -> object_store::Result<Duration> {
    humantime::parse_duration(&text).map_err(generic)
}

fn generic(error: impl std::error::Error + Send + Sync + 'static) -> object_store::Error {
    object_store::Error::Generic { store: "HTTP client", source: Box::new(error) }
}
