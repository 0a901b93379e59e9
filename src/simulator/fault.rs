//! Everything that can go wrong with a reply, by name. A fault is declared once, in the list at the
//! end of this file: the enum, its docs, the parser and [`FAULTS`] follow from it.

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};

/// How a fault is written and what it does: one row of [`FAULTS`].
#[derive(Debug)]
pub struct FaultForm {
    name: &'static str,
    argument: Argument,
    meaning: &'static str,
}

/// What may follow a fault's name, and the fault it makes.
#[derive(Debug)]
enum Argument {
    None(Fault),
    Number {
        name: &'static str,
        range: RangeInclusive<u64>,
        default: Option<u64>,
        make: fn(u64) -> Fault,
    },
    Text {
        name: &'static str,
        default: &'static str,
        make: fn(String) -> Fault,
    },
}

impl FaultForm {
    /// The name, as in `--fault NAME`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The name with its argument: `cut:BYTES`; in brackets where it may be left out:
    /// `server-error[:STATUS]`.
    pub fn usage(&self) -> String {
        let name = self.name;
        match &self.argument {
            Argument::None(_) => name.to_owned(),
            Argument::Number { name: argument, default: None, .. } => format!("{name}:{argument}"),
            Argument::Number { name: argument, .. } | Argument::Text { name: argument, .. } => {
                format!("{name}[:{argument}]")
            }
        }
    }

    /// What the fault does, in one line.
    pub fn meaning(&self) -> &'static str {
        self.meaning
    }

    fn parse(&self, argument: Option<&str>) -> Result<Fault> {
        match (&self.argument, argument) {
            (Argument::None(fault), None) => Ok(fault.clone()),
            (Argument::None(_), Some(_)) => {
                Err(Error::config(format!("the fault {} takes no argument", self.name)))
            }
            (Argument::Number { default: Some(default), make, .. }, None) => Ok(make(*default)),
            (Argument::Number { name, range, make, .. }, argument) => argument
                .and_then(|argument| argument.parse().ok())
                .filter(|number| range.contains(number))
                .map(make)
                .ok_or_else(|| self.wants_number(name, range)),
            (Argument::Text { default, make, .. }, argument) => {
                Ok(make(argument.unwrap_or(default).to_owned()))
            }
        }
    }

    fn wants_number(&self, name: &str, range: &RangeInclusive<u64>) -> Error {
        let (least, most) = (range.start(), range.end());
        let limit = if *most == u64::MAX { "up".to_owned() } else { format!("to {most}") };
        let usage = self.usage();
        Error::config(format!(
            "the fault {usage} needs a whole number for {name}, from {least} {limit}"
        ))
    }
}

/// Every fault with its meaning, one a line, for help texts and errors.
pub fn describe_faults() -> String {
    const USAGE_WIDTH: usize = 25;
    const WIDTH: usize = 80;
    FAULTS.iter().fold(String::new(), |mut text, form| {
        let mut column = USAGE_WIDTH;
        let _ = write!(text, "  {:<USAGE_WIDTH$}", form.usage());
        for word in form.meaning().split(' ') {
            if column + 1 + word.chars().count() > WIDTH - 2 {
                let _ = write!(text, "\n  {:USAGE_WIDTH$}", "");
                column = USAGE_WIDTH;
            }
            let _ = write!(text, " {word}");
            column += 1 + word.chars().count();
        }
        text.push('\n');
        text
    })
}

impl FromStr for Fault {
    type Err = Error;

    /// Reads `NAME[:ARGUMENT]`.
    ///
    /// # Errors
    /// `Config`: an unknown name (the message lists every fault with its meaning) or an argument
    /// that the fault does not take.
    fn from_str(text: &str) -> Result<Self> {
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        match FAULTS.iter().find(|form| form.name == name) {
            Some(form) => form.parse(argument),
            None => {
                let near = |form: &&FaultForm| strsim::damerau_levenshtein(name, form.name);
                let nearest = FAULTS.iter().min_by_key(near).filter(|form| near(form) <= 3);
                let meant = nearest.map(|form| format!(" Did you mean `{}`?", form.name));
                Err(Error::config(format!(
                    "Unknown fault `{}`.{} `kometsales simulate --help` lists all faults.",
                    name.escape_debug(),
                    meant.unwrap_or_default()
                )))
            }
        }
    }
}

/// A fault and for how many requests it is played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledFault {
    /// What happens to a request.
    pub fault: Fault,
    /// How many requests it happens to, at least one; `None` is every request from then on.
    pub times: Option<u64>,
    /// The company it happens to; `None` is each of them, one by one.
    pub company: Option<String>,
}

impl From<Fault> for ScheduledFault {
    /// For every request.
    fn from(fault: Fault) -> Self {
        Self { fault, times: None, company: None }
    }
}

impl FromStr for ScheduledFault {
    type Err = Error;

    /// Reads `NAME[:ARGUMENT][@COMPANY][@TIMES]`; a company is `company-0007`.
    ///
    /// # Errors
    /// As for a [`Fault`], and `Config` for zero times.
    fn from_str(text: &str) -> Result<Self> {
        let times =
            text.rsplit_once('@').and_then(|(rest, times)| Some((rest, times.parse().ok()?)));
        let (rest, times) = match times {
            Some((_, 0)) => {
                return Err(Error::config(format!(
                    "the fault {text} would never be played: @TIMES is at least 1"
                )));
            }
            Some((rest, times)) => (rest, Some(times)),
            None => (text, None),
        };
        let company = rest.rsplit_once('@').filter(|(_, company)| is_company(company));
        let (fault, company) = match company {
            Some((fault, company)) => (fault, Some(company.to_owned())),
            None => (rest, None),
        };
        Ok(Self { fault: fault.parse()?, times, company })
    }
}

/// Whether a text is the name of a simulated company.
fn is_company(text: &str) -> bool {
    let number = text.strip_prefix("company-").unwrap_or_default();
    number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit())
}

const YEAR_OF_SECONDS: u64 = 366 * 86_400;

const fn plain(fault: Fault) -> Argument {
    Argument::None(fault)
}

const fn bytes(make: fn(u64) -> Fault) -> Argument {
    Argument::Number { name: "BYTES", range: 0..=u64::MAX, default: None, make }
}

const fn seconds(make: fn(u64) -> Fault) -> Argument {
    Argument::Number { name: "SECONDS", range: 0..=YEAR_OF_SECONDS, default: Some(1), make }
}

macro_rules! declare_faults {
    ($($name:literal $variant:ident $(($type:ty))? = $argument:expr, $meaning:literal;)*) => {
        /// What the simulator does to a request instead of answering it as documented. Each has a
        /// name, as in `kometsales simulate --fault NAME`.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Fault {
            $(#[doc = concat!("`", $name, "`: ", $meaning, ".")] $variant $(($type))?,)*
        }

        /// Every fault there is.
        pub static FAULTS: &[FaultForm] =
            &[$(FaultForm { name: $name, argument: $argument, meaning: $meaning },)*];
    };
}

declare_faults! {
    "healthy" Healthy = plain(Fault::Healthy),
        "no fault: the list as documented, to come between others";

    "status-zero" StatusZero(String) =
        Argument::Text {
            name: "MESSAGE",
            default: "Internal error, try later",
            make: Fault::StatusZero,
        },
        "status 0 with a message, under HTTP 200";
    "token-refused" TokenRefused = plain(Fault::TokenRefused),
        "status 0, Token not found";
    "echo-token" EchoToken = plain(Fault::EchoToken),
        "status 0 with a message that quotes the request's token, as it is and in a URL";
    "not-found" NotFound = plain(Fault::NotFound),
        "status 0, Customers not found, without an array: how an empty result may come";
    "empty-message" EmptyMessage = plain(Fault::EmptyMessage),
        "status 1 with a message and no array";

    "unauthorized" Unauthorized = plain(Fault::Unauthorized),
        "HTTP 401";
    "forbidden" Forbidden = plain(Fault::Forbidden),
        "HTTP 403";
    "missing" Missing = plain(Fault::Missing),
        "HTTP 404";
    "rate-limit" RateLimit(u64) = seconds(Fault::RateLimit),
        "HTTP 429 with Retry-After in seconds";
    "rate-limit-date" RateLimitDate(u64) = seconds(Fault::RateLimitDate),
        "HTTP 429 with Retry-After as a date, SECONDS from now";
    "server-error" ServerError(u16) =
        Argument::Number {
            name: "STATUS",
            range: 500..=599,
            default: Some(503),
            make: |status| Fault::ServerError(status as u16),
        },
        "HTTP 503, or another 5xx";
    "redirect" Redirect = plain(Fault::Redirect),
        "HTTP 302 to another host";
    "web-page" WebPage = plain(Fault::WebPage),
        "a web page under HTTP 200";
    "plain-text" PlainText = plain(Fault::PlainText),
        "plain text under HTTP 200: Service under maintenance";
    "no-date" NoDate = plain(Fault::NoDate),
        "the list without a Date header";

    "cut" Cut(u64) = bytes(Fault::Cut),
        "the JSON ends after BYTES, and HTTP does not show it";
    "cut-length" CutLength(u64) = bytes(Fault::CutLength),
        "the body ends after BYTES, less than its Content-Length";
    "cut-chunked" CutChunked(u64) = bytes(Fault::CutChunked),
        "the body ends after BYTES, without its last chunk";
    "cut-gzip" CutGzip(u64) =
        Argument::Number {
            name: "BYTES",
            range: 1..=1_000_000,
            default: Some(20),
            make: Fault::CutGzip,
        },
        "a gzip body that lacks its last 20, or BYTES, bytes";
    "wrong-gzip" WrongGzip = plain(Fault::WrongGzip),
        "headers that say gzip, a body that is not";
    "reset" Reset(u64) = bytes(Fault::Reset),
        "the connection is reset after BYTES of the body";
    "refuse" Refuse = plain(Fault::Refuse),
        "the connection is closed without an answer";
    "stall" Stall(u64) = bytes(Fault::Stall),
        "nothing more comes after BYTES of the body, the connection stays open for 10 minutes";
    "stall-headers" StallHeaders = plain(Fault::StallHeaders),
        "nothing more comes after the status line, the connection stays open for 10 minutes";
    "drip" Drip(Duration) =
        Argument::Number {
            name: "MILLISECONDS",
            range: 1..=600_000,
            default: None,
            make: |milliseconds| Fault::Drip(Duration::from_millis(milliseconds)),
        },
        "the body comes in pieces of 512 bytes, MILLISECONDS apart";

    "bad-utf8" BadUtf8 = plain(Fault::BadUtf8),
        "a byte that is not UTF-8 in the first name and in every hundredth after it";
    "invalid-values" InvalidValues = plain(Fault::InvalidValues),
        "every tenth record has values of the wrong kind in every field but id and name";
    "bad-ids" BadIds(u64) =
        Argument::Number {
            name: "COUNT",
            range: 1..=u64::MAX,
            default: Some(7),
            make: Fault::BadIds,
        },
        "the records from the second on, 7 or COUNT, have no usable id or are no objects";
    "mixed-types" MixedTypes = plain(Fault::MixedTypes),
        "status, some ids, active and salesPersonId in the other types the API is known to send";
    "duplicate-keys" DuplicateKeys = plain(Fault::DuplicateKeys),
        "every tenth record has id and name twice, the last being right";
    "duplicate-ids" DuplicateIds = plain(Fault::DuplicateIds),
        "every tenth record has the id of the one before";
    "new-fields" NewFields = plain(Fault::NewFields),
        "fields that are not documented, some of them nested";
    "future" Future = plain(Fault::Future),
        "every tenth customer was updated in the future";
    "fractions" Fractions = plain(Fault::Fractions),
        "updatedOn with fractions, Z, offsets, or a blank for the T; the same instants";
    "ignore-update-as-of" IgnoreUpdateAsOf = plain(Fault::IgnoreUpdateAsOf),
        "the filter updateAsOf is overlooked";

    "status-last" StatusLast = plain(Fault::StatusLast),
        "status and message come after the array";
    "status-missing" StatusMissing = plain(Fault::StatusMissing),
        "the reply has no status";
    "one-object" OneObject = plain(Fault::OneObject),
        "customers is one object, the first, not an array";
    "not-an-object" NotAnObject = plain(Fault::NotAnObject),
        "the reply is the bare array";
    "two-values" TwoValues = plain(Fault::TwoValues),
        "a second JSON value follows the reply";
    "pretty" Pretty = plain(Fault::Pretty),
        "the reply is pretty-printed";
    "bom" Bom = plain(Fault::Bom),
        "the reply begins with a byte order mark";
}
