//! An object store inside the test: S3 and Google Cloud Storage in the dialects of the `object_store`
//! clients, over one map of objects, with a script of what goes wrong and when.
//!
//! It proves what our code does with the answers of a store, not that any store answers so. What it
//! does not speak, it refuses with a 400, which no client tries again.

pub(crate) mod client;
mod date;
mod dialect;
mod listing;
mod objects;
mod reply;
mod request;
mod script;
mod server;
mod tests;
mod xml;

use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use dialect::Manners;
use objects::{Condition, Objects};
use reply::Reply;
use request::{Line, Request};
use script::{Ending, Script};
use server::Server;

pub(crate) use script::Rule;

/// What kind of a store it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Conditions of requests are accepted and not looked at, as in stores that do not know them.
    pub(crate) ignores_conditions: bool,
    /// The most entries in one page of a list; a thousand when nothing is said.
    pub(crate) page_size: Option<usize>,
}

/// A running store, which stops when it is dropped.
pub(crate) struct Store {
    shared: Arc<Shared>,
    /// Nothing in the handle that a closure of the script gets: only the test's own stops the store.
    _server: Option<Server>,
}

/// What all connections see.
struct Shared {
    port: u16,
    options: Options,
    objects: Mutex<Objects>,
    script: Script,
    requests: Mutex<Vec<Line>>,
    stopped: Mutex<bool>,
    stopping: Condvar,
}

impl Store {
    /// Starts an empty store on a free port of the loopback. Every bucket exists.
    pub(crate) fn start(options: Options) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let shared = Arc::new(Shared {
            port: listener.local_addr().unwrap().port(),
            options,
            objects: Mutex::default(),
            script: Script::default(),
            requests: Mutex::default(),
            stopped: Mutex::default(),
            stopping: Condvar::new(),
        });
        let server = Server::start(listener, Arc::clone(&shared));
        Self { shared, _server: Some(server) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.shared.port
    }

    /// Where the clients find it.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// The variables with which a client of S3 comes here.
    pub(crate) fn s3_environment(&self) -> Vec<(String, String)> {
        environment(&[
            ("AWS_ENDPOINT_URL", &self.url()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            // Without a key the client would ask the metadata service of a machine in the cloud.
            ("AWS_ACCESS_KEY_ID", "test-key"),
            ("AWS_SECRET_ACCESS_KEY", "test-secret"),
        ])
    }

    /// The variables with which a client of Google Cloud Storage comes here.
    pub(crate) fn gcs_environment(&self) -> Vec<(String, String)> {
        let key = format!(
            r#"{{"gcs_base_url":"{}","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}}"#,
            self.url()
        );
        environment(&[("GOOGLE_SERVICE_ACCOUNT_KEY", &key)])
    }

    /// The keys of a bucket, sorted.
    pub(crate) fn keys(&self, bucket: &str) -> Vec<String> {
        let objects = self.shared.objects.lock().unwrap();
        objects.of(bucket).map(|(key, _)| key.to_owned()).collect()
    }

    pub(crate) fn get(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let objects = self.shared.objects.lock().unwrap();
        objects.get(bucket, key).map(|object| object.bytes.clone())
    }

    /// Puts an object there, whatever was there before.
    pub(crate) fn put(&self, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>) {
        let mut objects = self.shared.objects.lock().unwrap();
        objects.put(bucket, key, bytes.into(), &Condition::None).unwrap();
    }

    /// Removes an object behind everybody's back.
    pub(crate) fn remove(&self, bucket: &str, key: &str) {
        assert!(self.shared.objects.lock().unwrap().delete(bucket, key), "{key} is not there");
    }

    /// Makes an object so many seconds older.
    pub(crate) fn age(&self, bucket: &str, key: &str, seconds: i64) {
        self.shared.objects.lock().unwrap().age(bucket, key, seconds);
    }

    /// Sets the clock that dates new objects so many seconds ahead.
    pub(crate) fn set_clock_ahead(&self, seconds: i64) {
        self.shared.objects.lock().unwrap().set_ahead(seconds);
    }

    /// The multipart uploads that are neither completed nor aborted, as `bucket/key`, sorted.
    pub(crate) fn pending_uploads(&self) -> Vec<String> {
        self.shared.objects.lock().unwrap().pending_uploads()
    }

    /// The requests in the order in which they have arrived with all of their bodies: `PUT bucket/key`,
    /// `GET bucket?list-type=2&prefix=a/`. A bulk deletion has its keys: `POST bucket?delete a b`.
    pub(crate) fn requests(&self) -> Vec<String> {
        let requests = self.shared.requests.lock().unwrap();
        requests.iter().map(|line| format!("{} {}", line.method, line.target)).collect()
    }

    /// How many requests have arrived that a rule with the same words would be for.
    pub(crate) fn count(&self, method: &str, part: &str) -> usize {
        let rule = Rule::on(method, part);
        let requests = self.shared.requests.lock().unwrap();
        requests.iter().filter(|line| rule.is_for(line)).count()
    }

    /// Adds a rule to the script, after those that are there.
    pub(crate) fn script(&self, rule: Rule) {
        self.shared.script.add(rule);
    }

    /// Nothing goes wrong any more.
    pub(crate) fn forget_script(&self) {
        self.shared.script.forget();
    }
}

fn environment(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Shared {
    /// Does what a request asks and what the script says about it, and gives the end of it.
    fn answer(self: &Arc<Self>, request: &Request) -> End {
        self.requests.lock().unwrap().push(request.line.clone());
        let effect = self.script.choose(&request.line);
        self.sleep(effect.delay_before);
        if let Some(before) = effect.before {
            before(&Store { shared: Arc::clone(self), _server: None });
        }
        let manners = Manners {
            ignores_conditions: self.options.ignores_conditions || effect.ignores_conditions,
            page_size: self.options.page_size,
        };
        // One lock for looking at the condition and for writing: that is what makes it exclusive.
        let honest = (effect.ending == Ending::Honest || effect.applies)
            .then(|| dialect::answer(&mut self.objects.lock().unwrap(), request, &manners));
        self.sleep(effect.delay_after);
        match (effect.ending, honest) {
            (Ending::Honest, Some(reply)) => End::Reply(reply),
            (Ending::Status(status), _) => End::Reply(Reply::scripted(status)),
            (Ending::Reset, _) => End::Reset,
            (Ending::Close | Ending::Honest, _) => End::Close,
        }
    }

    /// Waits so long, but not longer than the store is there.
    fn sleep(&self, duration: Duration) {
        let stopped = self.stopped.lock().unwrap();
        drop(self.stopping.wait_timeout_while(stopped, duration, |stopped| !*stopped).unwrap());
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.lock().unwrap()
    }

    fn stop(&self) {
        *self.stopped.lock().unwrap() = true;
        self.stopping.notify_all();
    }
}

/// How a request ends for the client.
enum End {
    Reply(Reply),
    /// The connection ends in order, with no answer.
    Close,
    /// The connection breaks.
    Reset,
}
