//! A simulated company: its customers, and what it answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{TimeDelta, Utc};
use serde_json::json;
use url::form_urlencoded;

use super::answer::{Answer, Body, Encoding, http_date};
use super::changes::Changes;
use super::fault::Fault;
use super::filter::Filter;
use super::list::List;
use super::reply::{Delivery, Reply};
use super::request::Request;
use super::script::Script;
use super::stop::Stop;

/// The path of the one method.
pub(super) const LIST_PATH: &str = "/api/customer.list";

/// What becomes of customers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// They are edited.
    Edit,
    /// They are in no list any more.
    Remove,
    /// They are there again.
    Restore,
}

/// One company among those that are simulated.
#[derive(Debug)]
pub(super) struct Company {
    /// What faults and reports call it: `company-0007`.
    pub(super) name: String,
    /// How many customers it has.
    pub(super) customers: u64,
    /// The index of its first customer: no two companies share a customer.
    pub(super) first: u64,
    pub(super) token: String,
    pub(super) stop: Arc<Stop>,
    script: Mutex<Script>,
    changes: Mutex<Arc<Changes>>,
    /// How often its list was asked for.
    asked: AtomicU64,
}

impl Company {
    /// A company of its own customers; `position` is counted from 0.
    pub(super) fn new(
        position: u64,
        customers: u64,
        token: String,
        script: Script,
        stop: Arc<Stop>,
    ) -> Self {
        Self {
            name: name_of(position),
            customers,
            first: position * customers,
            token,
            stop,
            script: Mutex::new(script),
            changes: Mutex::default(),
            asked: AtomicU64::new(0),
        }
    }

    /// Its list is asked for once more.
    pub(super) fn count(&self) {
        self.asked.fetch_add(1, Ordering::SeqCst);
    }

    /// How often its list was asked for.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    pub(super) fn change(&self, change: Change, count: u64) -> Vec<u64> {
        // Replies that are being written keep the list as it was when they were asked for.
        let mut changes = lock(&self.changes);
        let customers = self.first..self.first + self.customers;
        let changes = Arc::make_mut(&mut changes);
        match change {
            Change::Edit => changes.make(count, &customers, Utc::now().timestamp()),
            Change::Remove => changes.remove(count, &customers),
            Change::Restore => changes.restore(count),
        }
    }

    /// What it answers: the fault whose turn it is, or the truth.
    pub(super) fn answer(&self, request: &Request) -> Answer {
        if request.path != LIST_PATH || request.method != "GET" {
            return self.list(Fault::Healthy, request);
        }
        let fault = lock(&self.script).next_fault();
        self.play(fault, request)
    }

    /// The answer to a request when the fault is played.
    pub(super) fn play(&self, fault: Fault, request: &Request) -> Answer {
        match fault {
            Fault::StatusZero(message) => envelope("0", &message).into(),
            Fault::TokenRefused => token_refused().into(),
            Fault::EchoToken => echo_token(request).into(),
            Fault::NotFound => envelope("0", "Customers not found").into(),
            Fault::EmptyMessage => envelope("1", "No customers to show").into(),

            Fault::Unauthorized => json_status(401, "Unauthorized").into(),
            Fault::Forbidden => json_status(403, "Forbidden").into(),
            Fault::Missing => web_page(404, "Not Found").into(),
            Fault::RateLimit(seconds) => rate_limit(&seconds.to_string()).into(),
            Fault::RateLimitDate(seconds) => {
                let wait = TimeDelta::try_seconds(seconds as i64).unwrap_or_default();
                rate_limit(&http_date(Utc::now() + wait)).into()
            }
            Fault::ServerError(status) => web_page(status, "The server is not available").into(),
            Fault::Redirect => {
                web_page(302, "Moved").header("Location", "https://elsewhere.example/login").into()
            }
            Fault::WebPage => web_page(200, "Please log in").into(),
            Fault::PlainText => {
                Reply::new(200, "text/plain; charset=utf-8", "Service under maintenance").into()
            }
            Fault::NoDate => {
                let mut answer = self.list(fault, request);
                answer.headers.push(("Date".to_owned(), String::new()));
                answer
            }

            Fault::Cut(bytes) => self.deliver(Delivery::Cut(bytes), request),
            Fault::CutLength(bytes) => Answer {
                // The length of a compressed list is not known before it is written.
                encoding: Encoding::Identity,
                ..self.deliver(Delivery::CutLength(bytes), request)
            },
            Fault::CutChunked(bytes) => self.deliver(Delivery::CutChunked(bytes), request),
            Fault::Reset(bytes) => self.deliver(Delivery::Reset(bytes), request),
            Fault::Refuse => self.deliver(Delivery::Refuse, request),
            Fault::Stall(bytes) => self.deliver(Delivery::Stall(bytes), request),
            Fault::StallHeaders => self.deliver(Delivery::StallHeaders, request),
            Fault::Drip(pause) => self.deliver(Delivery::Drip(pause), request),
            Fault::CutGzip(lacking) => {
                Answer { encoding: Encoding::Gzip { lacking }, ..self.list(fault, request) }
            }
            Fault::WrongGzip => {
                let mut answer = self.list(fault, request);
                answer.encoding = Encoding::Identity;
                answer.headers.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
                answer
            }

            _ => self.list(fault, request),
        }
    }

    fn deliver(&self, delivery: Delivery, request: &Request) -> Answer {
        Answer { delivery, ..self.list(Fault::Healthy, request) }
    }

    /// The list with the faults of its content, or why there is none.
    fn list(&self, fault: Fault, request: &Request) -> Answer {
        if request.path != LIST_PATH {
            return web_page(404, "There is no such method").into();
        }
        if request.method != "GET" {
            return method_not_allowed("GET").into();
        }
        if request.parameter("authenticationToken") != Some(&self.token) {
            return token_refused().into();
        }
        let filter = match Filter::parse(&request.query) {
            Ok(filter) if fault == Fault::IgnoreUpdateAsOf => filter.whenever_updated(),
            Ok(filter) => filter,
            Err(name) => return envelope("0", &format!("Invalid value for {name}")).into(),
        };
        let list = List {
            customers: self.first..self.first + self.customers,
            changes: Arc::clone(&lock(&self.changes)),
            filter,
            fault,
            now: Utc::now().timestamp(),
            stop: Arc::clone(&self.stop),
        };
        Answer {
            status: 200,
            headers: Vec::new(),
            body: Body::List(list),
            encoding: match request.accepts_gzip() {
                true => Encoding::Gzip { lacking: 0 },
                false => Encoding::Identity,
            },
            delivery: Delivery::Whole,
        }
    }
}

/// What a company is called; `position` is counted from 0.
pub(super) fn name_of(position: u64) -> String {
    format!("company-{:04}", position + 1)
}

pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn envelope(status: &str, message: &str) -> Reply {
    Reply::json(json!({"status": status, "message": message}).to_string())
}

fn token_refused() -> Reply {
    envelope("0", "Token not found")
}

fn echo_token(request: &Request) -> Reply {
    let token = request.parameter("authenticationToken").unwrap_or_default();
    let encoded: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    let url = format!("https://api.kometsales.com{LIST_PATH}?authenticationToken={encoded}&id=1");
    envelope("0", &format!("The token {token} may not call {url}"))
}

fn json_status(status: u16, message: &str) -> Reply {
    Reply::new(status, "application/json", json!({"message": message}).to_string())
}

fn rate_limit(retry_after: &str) -> Reply {
    json_status(429, "Too many requests").header("Retry-After", retry_after)
}

pub(super) fn method_not_allowed(allowed: &str) -> Reply {
    web_page(405, "Method not allowed").header("Allow", allowed)
}

fn web_page(status: u16, text: &str) -> Reply {
    let page = format!(
        "<!DOCTYPE html>\n<html><head><title>{text}</title></head>\n\
         <body><h1>{text}</h1></body></html>\n"
    );
    Reply::new(status, "text/html; charset=utf-8", page)
}
