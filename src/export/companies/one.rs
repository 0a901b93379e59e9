//! One company's turn: `export --to U/NAME` with its own settings, over connections that all share.

use chrono::Utc;

use super::list::{Companies, Part};
use super::name::Name;
use super::run::{Done, Turn};
use super::stream::Streamed;
use super::tokens::Tokens;
use crate::config::{Config, UnknownKeys};
use crate::error::{Error, Result};
use crate::export::destination::TablePlace;
use crate::export::report::Vacuumed;
use crate::export::table::{Ended, HandIn, SharedTable, Table, TableOptions};
use crate::export::{Exported, How, export, table};
use crate::interrupt::Interrupt;
use crate::log::{Level, Log};
use crate::model::{Stream, Timestamp};
use crate::output::stdout::Stdout;
use crate::source::{Connections, Machine, Source};
use crate::store::Store;
use crate::sync::RejectLimits;

/// Where the rows of all companies go.
pub enum To {
    /// Nowhere: tokens are tested alone.
    Nowhere,
    /// A table per company, each below this place.
    Tables {
        /// The store of the place.
        store: Store,
        /// What becomes of the rows that a table has.
        options: TableOptions,
    },
    /// One table, of which each company has a part.
    Shared(Box<SharedTable>, TableOptions),
    /// One Arrow stream on stdout.
    Stream(Streamed<Stdout>),
}

/// What the turns of all companies have in common.
pub struct Turns<'a> {
    /// The companies.
    pub companies: &'a Companies,
    /// Settings under those of each company.
    pub base: Vec<Part>,
    /// The stream that is exported.
    pub stream: &'static Stream,
    /// Where the rows go.
    pub to: To,
    /// Whether places and tokens are tested alone.
    pub is_check: bool,
    /// What this machine offers.
    pub machine: Machine,
    /// The user's wish to end. The run is held as a whole.
    pub interrupt: Interrupt,
    /// Where messages go.
    pub log: &'a dyn Log,
    /// All tokens.
    pub tokens: Tokens,
    /// Connections to the API.
    pub connections: Connections,
}

impl To {
    /// One table per company below a place, which is tested.
    ///
    /// # Errors
    /// `Config`: it cannot be written, is a table, or is probably misspelt. `Transient`: its store cannot be reached.
    pub fn tables(
        store: Store,
        place: &TablePlace,
        stream: &Stream,
        options: TableOptions,
    ) -> Result<Self> {
        table::refuse_itself(&store, place, stream)?;
        if !options.is_dry_run {
            store.probe(store.path(), true)?;
        }
        Ok(Self::Tables { store, options })
    }
}

impl Turns<'_> {
    /// Looks at every company before anything is sent: reads each token once, and keeps a digest of it.
    ///
    /// # Errors
    /// `Config`: two companies have one token, or a company is called as a token is.
    pub fn look(&self) -> Result<()> {
        for name in self.companies.names() {
            // Whoever is configured wrongly fails when its turn comes, alone.
            if let Ok((config, _)) = self.config(name) {
                self.tokens.note(name, &config)?;
            }
        }
        self.tokens.refuse_names(self.companies.names())
    }

    fn config(&self, name: &Name) -> Result<(Config, Vec<String>)> {
        let own = self.companies.settings(name)?;
        let parts: Vec<Part> = self.base.iter().cloned().chain(own).collect();
        Config::merge(&parts, &[], UnknownKeys::Refuse)
    }

    /// A company's turn.
    pub fn turn(&self, name: &Name) -> Turn {
        let log = CompanyLog { name, turns: self };
        let mut requests = 0;
        let done = self.export(name, &log, &mut requests);
        let done = done.map_err(|error| {
            let message = self.tokens.redact(&error.to_string());
            error.saying(message)
        });
        Turn { done, requests }
    }

    fn export(&self, name: &Name, log: &dyn Log, requests: &mut u32) -> Result<Done> {
        let (config, warnings) = self.config(name)?;
        let _at_work = self.tokens.begin(name, &config)?;
        warnings.iter().for_each(|warning| log.warn(warning));
        let source = Source::new(&config, self.machine.clone(), log);
        let source = source.over(self.connections.clone()).until(self.interrupt.clone());
        let done = self.export_from(&source, &config, name, log);
        *requests = source.requests();
        done
    }

    fn export_from(
        &self,
        source: &Source<'_>,
        config: &Config,
        name: &Name,
        log: &dyn Log,
    ) -> Result<Done> {
        let stream = self.stream;
        if self.is_check {
            match &self.to {
                To::Tables { store, options } => {
                    let (store, place) = TablePlace::below(store, name.as_str())?;
                    Table::open(store, &place, stream, *options, now(), log)?.probe()?;
                }
                To::Shared(shared, _) => drop(shared.table(name.as_str(), now(), log)?),
                To::Nowhere | To::Stream(_) => {}
            }
            return source.check(stream).map(|()| Done::Checked);
        }
        match &self.to {
            To::Nowhere => Err(Error::bug("An export leads nowhere")),
            To::Tables { store, options } => {
                let (store, place) = TablePlace::below(store, name.as_str())?;
                let table = Table::open(store, &place, stream, *options, now(), log)?;
                self.export_to(table, *options, source, config, log)
            }
            To::Shared(shared, options) => {
                let table = shared.table(name.as_str(), now(), log)?;
                self.export_to(table, *options, source, config, log)
            }
            To::Stream(streamed) => {
                let mut own = streamed.of(name, config.max_rejects);
                let limits = RejectLimits::listed(config.max_rejects);
                let how = How { stream, is_whole: true, limits };
                export(source, config, &mut own, how, log)?;
                done(&own)
            }
        }
    }
}

impl Turns<'_> {
    fn export_to(
        &self,
        mut table: Table<'_>,
        options: TableOptions,
        source: &Source<'_>,
        config: &Config,
        log: &dyn Log,
    ) -> Result<Done> {
        let limits = RejectLimits::kept(config.max_rejects);
        let how = How { stream: self.stream, is_whole: options.is_whole, limits };
        export(source, config, &mut table, how, log)?;
        match table.handed_in() {
            Some(handed_in) => Ok(Done::HandedIn(Box::new(handed_in))),
            None => done(&table),
        }
    }

    /// Commits what companies have handed in, all at once.
    pub fn commit(&self, handed_in: Vec<HandIn>) -> Vec<(String, Ended)> {
        // Nothing is handed in for another place.
        let To::Shared(shared, _) = &self.to else { return Vec::new() };
        shared.commit(handed_in, now(), self.log)
    }

    /// The vacuum after the last commit to the table of all, if it is due; what it removed.
    pub fn vacuum(&self) -> Option<Vacuumed> {
        let To::Shared(shared, _) = &self.to else { return None };
        shared.vacuum(self.log)
    }
}

/// What an export into a place did, or would do.
fn done(place: &dyn Exported) -> Result<Done> {
    match (place.difference(), place.report()) {
        (Some(difference), _) => Ok(Done::Compared(Box::new(difference.clone()))),
        (None, Some(report)) => Ok(Done::Exported(Box::new(report.clone()))),
        (None, None) => Err(Error::bug("The export has no report")),
    }
}

/// The settings for all companies, with a token in the place of theirs.
///
/// # Errors
/// `Config`: they are wrong, so that each company would fail.
pub fn settings_for_all(base: &[Part]) -> Result<Config> {
    let any = (br#"{"authentication_token": "00000000"}"#.to_vec(), "each company".to_owned());
    let parts: Vec<Part> = [any].into_iter().chain(base.iter().cloned()).collect();
    Ok(Config::merge(&parts, &[], UnknownKeys::Refuse)?.0)
}

/// Messages of one company, with its name before them and no token in them.
struct CompanyLog<'a> {
    name: &'a Name,
    turns: &'a Turns<'a>,
}

impl Log for CompanyLog<'_> {
    fn log(&self, level: Level, message: &str) {
        if !self.turns.log.takes(level) {
            return;
        }
        let message = self.turns.tokens.redact(message);
        self.turns.log.log(level, &format!("{}: {message}", self.name));
    }
}

fn now() -> Timestamp {
    Timestamp::from(Utc::now())
}
