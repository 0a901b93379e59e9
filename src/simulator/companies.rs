//! All simulated companies: who is asked, what was asked, and how many ask at once.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::company::{Change, Company, LIST_PATH, lock, method_not_allowed, name_of};
use super::fault::{Fault, ScheduledFault};
use super::reply::Reply;
use super::request::Request;
use super::script::{Script, Scripted};
use super::stop::Stop;
use super::{MAX_CUSTOMERS, Options};
use crate::error::{Error, Result};

/// Where changes to the customers are asked for over HTTP.
const CHANGES: [(&str, Change); 3] = [
    ("/simulator/change", Change::Edit),
    ("/simulator/remove", Change::Remove),
    ("/simulator/restore", Change::Restore),
];

/// Where the number of requests is asked for over HTTP.
const REQUESTS_PATH: &str = "/simulator/requests";

/// At most this many requests are remembered, so that a simulator may run for weeks.
const MAX_REMEMBERED_REQUESTS: usize = 10_000;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Companies {
    pub(super) stop: Arc<Stop>,
    /// The first is never missing: it also answers whoever brings a token that nobody has.
    first: Company,
    others: Vec<Company>,
    /// Positions by token, the first being 0.
    by_token: HashMap<String, usize>,
    latency: Duration,
    queue: Mutex<VecDeque<Scripted>>,
    requests: Mutex<VecDeque<Request>>,
    /// Requests for lists that came with a token that nobody has.
    unknown: AtomicU64,
    at_once: AtomicU64,
    most_at_once: AtomicU64,
    on_request: Option<fn(&str, &Request, u16)>,
}

/// A request for a list that is at work until this is dropped.
pub(super) struct AtWork<'a>(Option<&'a AtomicU64>);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.map(|at_once| at_once.fetch_sub(1, Ordering::SeqCst));
    }
}

impl Companies {
    pub(super) fn new(options: Options) -> Result<Self> {
        let Options { customers, token, companies, latency, faults, on_request, .. } = options;
        if token.is_empty() {
            return Err(Error::config("the simulator's token must not be empty"));
        }
        let count = u64::from(companies.unwrap_or(1));
        if count == 0 {
            return Err(Error::config("the simulator has at least one company"));
        }
        if customers.saturating_mul(count) > MAX_CUSTOMERS {
            return Err(Error::config("the simulator has at most 1000000000000 customers"));
        }
        let names: Vec<String> = (0..count).map(name_of).collect();
        let nobody = |fault: &&ScheduledFault| {
            fault.company.as_ref().is_some_and(|company| !names.contains(company))
        };
        if let Some(fault) = faults.iter().find(nobody) {
            let named = fault.company.as_deref().unwrap_or_default();
            let last = names.last().map(String::as_str).unwrap_or_default();
            return Err(Error::config(format!(
                "a fault is for {named}, and the companies are {} to {last}",
                name_of(0)
            )));
        }
        let stop = Arc::new(Stop::default());
        let company = |position: u64| {
            let own = |fault: &&ScheduledFault| {
                fault.company.as_ref().is_none_or(|company| *company == name_of(position))
            };
            let script = Script::new(faults.iter().filter(own).cloned().collect())?;
            let token = match companies {
                Some(_) => format!("demo-token-{:04}", position + 1),
                None => token.clone(),
            };
            Ok(Company::new(position, customers, token, script, Arc::clone(&stop)))
        };
        let first = company(0)?;
        let others = (1..count).map(company).collect::<Result<Vec<_>>>()?;
        let all = std::iter::once(&first).chain(&others);
        let by_token = all.enumerate().map(|(at, company)| (company.token.clone(), at)).collect();
        Ok(Self {
            stop,
            first,
            others,
            by_token,
            latency,
            queue: Mutex::default(),
            requests: Mutex::default(),
            unknown: AtomicU64::new(0),
            at_once: AtomicU64::new(0),
            most_at_once: AtomicU64::new(0),
            on_request,
        })
    }

    pub(super) fn first(&self) -> &Company {
        &self.first
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Company> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Company> {
        self.all().find(|company| company.name == name)
    }

    pub(super) fn most_at_once(&self) -> u64 {
        self.most_at_once.load(Ordering::SeqCst)
    }

    pub(super) fn queue(&self, next: Scripted) {
        lock(&self.queue).push_back(next);
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        lock(&self.requests).iter().cloned().collect()
    }

    pub(super) fn change(&self, change: Change, count: u64) -> Vec<u64> {
        self.all().flat_map(|company| company.change(change, count)).collect()
    }

    /// A request begins; it is at work until what this gives is dropped.
    pub(super) fn begin(&self, request: &Request) -> AtWork<'_> {
        if request.path != LIST_PATH {
            return AtWork(None);
        }
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        AtWork(Some(&self.at_once))
    }

    pub(super) fn answer(&self, request: &Request) -> Answer {
        let change = CHANGES.iter().find(|(path, _)| request.path == *path);
        if let Some((path, change)) = change {
            return self.answer_change(path, *change, request).into();
        }
        match request.path.as_str() {
            REQUESTS_PATH => return self.answer_requests(request).into(),
            LIST_PATH => {
                self.stop.sleep(self.latency);
            }
            _ => {}
        }
        self.remember(request);
        let known = self.known(request);
        let is_list = request.path == LIST_PATH && request.method == "GET";
        match known {
            Some(company) if is_list => company.count(),
            None if is_list => drop(self.unknown.fetch_add(1, Ordering::SeqCst)),
            _ => {}
        }
        let company = known.unwrap_or(&self.first);
        let queued = lock(&self.queue).pop_front();
        let answer = match queued {
            Some(Scripted::Reply(reply)) => reply.into(),
            Some(Scripted::Fault(fault)) => company.play(fault, request),
            // What is scheduled for one company is not spent on a stranger.
            None if known.is_none() && !self.others.is_empty() => {
                company.play(Fault::Healthy, request)
            }
            None => company.answer(request),
        };
        if let Some(show) = self.on_request {
            show(known.map_or("nobody", |company| &company.name), request, answer.status);
        }
        answer
    }

    /// The company whose token the request has.
    fn known(&self, request: &Request) -> Option<&Company> {
        let position = self.by_token.get(request.parameter("authenticationToken")?)?;
        match position.checked_sub(1) {
            None => Some(&self.first),
            Some(at) => self.others.get(at),
        }
    }

    fn remember(&self, request: &Request) {
        let mut requests = lock(&self.requests);
        if requests.len() == MAX_REMEMBERED_REQUESTS {
            requests.pop_front();
        }
        requests.push_back(request.clone());
    }

    fn answer_change(&self, path: &str, change: Change, request: &Request) -> Reply {
        let count = request.parameter("customers").and_then(|count| count.parse().ok());
        match (request.method.as_str(), count) {
            ("POST", Some(count)) => {
                let ids = self.change(change, count);
                Reply::json(json!({"changed": ids.len(), "ids": ids}).to_string())
            }
            ("POST", None) => {
                let message = format!("say how many: POST {path}?customers=3");
                Reply::new(400, "application/json", json!({ "message": message }).to_string())
            }
            _ => method_not_allowed("POST"),
        }
    }

    fn answer_requests(&self, request: &Request) -> Reply {
        if request.method != "GET" {
            return method_not_allowed("GET");
        }
        let counted = |company: &Company| (company.name.clone(), Value::from(company.asked()));
        let companies: Map<String, Value> = self.all().map(counted).collect();
        let all: u64 = self.all().map(Company::asked).sum();
        let unknown = self.unknown.load(Ordering::SeqCst);
        let most = self.most_at_once();
        Reply::json(
            json!({
                "requests": all + unknown,
                "most_at_once": most,
                "unknown_token": unknown,
                "companies": companies,
            })
            .to_string(),
        )
    }
}
