//! The tokens of all companies: which of them are the same, and none of them in any text.
//!
//! No token is kept, but for those of companies that are at work: what is kept is a digest under a key of this run. A
//! digest is enough to see that two companies have one token, and to find a token in a text.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::name::Name;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::secret::Token;

/// The text in place of a token that is known by its digest alone.
const REDACTED: &str = "[redacted]";

/// The tokens of a run.
pub struct Tokens {
    /// What the digests are made of, another in each run.
    key: String,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Who has a token with its filters, by the digest of both; and the other way round.
    owners: HashMap<String, Name>,
    digests: HashMap<Name, String>,
    /// Digests of all tokens in lower case, also of those that have been replaced, and how long the tokens are.
    hidden: HashSet<String>,
    lengths: BTreeSet<usize>,
    /// The tokens of the companies that are at work.
    at_work: Vec<(Name, Token)>,
}

/// The token of a company that is at work, until this is dropped.
pub struct AtWork<'a> {
    tokens: &'a Tokens,
    name: Name,
}

impl Default for Tokens {
    fn default() -> Self {
        let random = || RandomState::new().hash_one(());
        let key = format!("{:016x}{:016x}{:016x}", random(), random(), random());
        Self { key, known: Mutex::default() }
    }
}

impl Tokens {
    /// Notes what a company has, before anything is sent.
    ///
    /// # Errors
    /// `Config`: another company has the same token and the same filters, or a company is called as a token is.
    pub fn note(&self, name: &Name, config: &Config) -> Result<()> {
        let digest = self.digest(config);
        let mut known = self.known();
        let hidden = self.hidden_digest(&config.token);
        known.hidden.insert(hidden);
        known.lengths.insert(config.token.characters());
        if known.digests.get(name) == Some(&digest) {
            return Ok(());
        }
        if let Some(other) = known.owners.get(&digest) {
            return Err(Error::config(format!(
                "The companies `{other}` and `{name}` have the same token and filters, so one would get the other's customers. Correct one of the tokens."
            )));
        }
        // The token that it had before may be anybody's now.
        if let Some(before) = known.digests.insert(name.clone(), digest.clone()) {
            known.owners.remove(&before);
        }
        known.owners.insert(digest, name.clone());
        Ok(())
    }

    /// The turn of a company has come. A token that was rotated since it was noted is looked at again.
    ///
    /// # Errors
    /// As [`note`](Self::note).
    pub fn begin(&self, name: &Name, config: &Config) -> Result<AtWork<'_>> {
        self.note(name, config)?;
        self.known().at_work.push((name.clone(), config.token.clone()));
        Ok(AtWork { tokens: self, name: name.clone() })
    }

    /// Refuses names that are tokens: names are shown.
    ///
    /// # Errors
    /// `Config`: one is.
    pub fn refuse_names(&self, names: &[Name]) -> Result<()> {
        let known = self.known();
        let is_token = |name: &&Name| {
            let digest = self.hidden_digest(&Token::new(name.as_str().to_owned()));
            known.hidden.contains(&digest)
        };
        match names.iter().position(|name| is_token(&name)) {
            None => Ok(()),
            Some(position) => Err(Error::config(format!(
                "Company {} of {}, by name, is called as the token of a company is, and names are shown. Rename it.",
                position + 1,
                names.len()
            ))),
        }
    }

    /// `text` without any of the tokens: those of companies at work in whatever form, all others as they are.
    pub fn redact(&self, text: &str) -> String {
        let known = self.known();
        let text =
            known.at_work.iter().fold(text.to_owned(), |text, (_, token)| token.redact(&text));
        let starts: Vec<usize> =
            text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut redacted = String::with_capacity(text.len());
        let mut at = 0;
        while at + 1 < starts.len() {
            // The longest first: one token may begin as another does.
            let found = known.lengths.iter().rev().find(|length| {
                let Some(end) = starts.get(at + **length) else { return false };
                let part = text.get(starts[at]..*end).unwrap_or_default();
                known.hidden.contains(&self.hidden_digest(&Token::new(part.to_owned())))
            });
            let step = found.copied().unwrap_or(1);
            match found {
                Some(_) => redacted.push_str(REDACTED),
                None => redacted.push_str(text.get(starts[at]..starts[at + 1]).unwrap_or_default()),
            }
            at += step;
        }
        redacted
    }

    /// The digest of a token and of what chooses customers beside it.
    fn digest(&self, config: &Config) -> String {
        let chosen = (&config.filters, config.include_inactive, config.start_date);
        config.token.fingerprint(&format!("{} {chosen:?}", self.key))
    }

    /// The digest by which a token is found in a text, in any case of its letters.
    fn hidden_digest(&self, token: &Token) -> String {
        token.lower_case().fingerprint(&self.key)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.tokens.known().at_work.retain(|(name, _)| *name != self.name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(token: &str, settings: &str) -> Config {
        let json = format!(r#"{{"authentication_token": {}{settings}}}"#, json!(token));
        Config::parse(json.as_bytes(), "test").unwrap().0
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn two_companies_with_one_token_are_refused_unless_their_filters_differ() {
        let tokens = Tokens::default();
        let note = |company: &str, token: &str, settings: &str| {
            tokens.note(&name(company), &config(token, settings)).map_err(|error| error.to_string())
        };
        note("rosas", "token-number-1", "").unwrap();
        note("rosas", "token-number-1", "").unwrap();
        note("lirios", "token-number-2", "").unwrap();
        note("rosas-7", "token-number-1", r#", "location_id": 7"#).unwrap();
        let error = note("claveles", "token-number-1", "").unwrap_err();
        assert!(error.contains("`rosas` and `claveles`"), "{error}");
        assert!(note("claveles", "token-number-1", r#", "location_id": "7""#).is_err());
        assert!(
            note("claveles", "token-number-1", r#", "base_url": "http://localhost/x""#).is_err()
        );
    }

    #[test]
    fn a_rotated_token_is_looked_at_again() {
        let tokens = Tokens::default();
        let begin =
            |company: &str, token: &str| tokens.begin(&name(company), &config(token, "")).map(drop);
        begin("rosas", "token-number-1").unwrap();
        begin("lirios", "token-number-2").unwrap();
        begin("rosas", "token-number-3").unwrap();
        assert!(begin("rosas", "token-number-2").is_err(), "it is that of lirios");
        begin("lirios", "token-number-1").unwrap();
        assert!(begin("rosas", "token-number-1").is_err(), "it went to lirios");
    }

    #[test]
    fn every_token_is_hidden_whether_its_company_is_at_work_or_not() {
        let tokens = Tokens::default();
        tokens.note(&name("a"), &config("token-of-a", "")).unwrap();
        tokens.note(&name("b"), &config("token-of-a-and-b", "")).unwrap();
        let at_work = tokens.begin(&name("c"), &config("tok&n of ñ", "")).unwrap();
        let text = "ñ token-of-a-and-b, TOKEN-OF-A. tok%26n+of+%C3%B1 token-of-";
        let hidden = "ñ [redacted], [redacted]. [redacted] token-of-";
        assert_eq!(tokens.redact(text), hidden);
        drop(at_work);
        assert_eq!(tokens.redact("<tok&n of ñ>"), "<[redacted]>");
        tokens.begin(&name("a"), &config("token-rotated", "")).unwrap();
        assert_eq!(tokens.redact("token-of-a token-rotated"), "[redacted] [redacted]");
    }

    #[test]
    fn a_company_that_is_called_as_a_token_is_refused_without_it() {
        let tokens = Tokens::default();
        tokens.note(&name("a"), &config("token-of-a", "")).unwrap();
        tokens.refuse_names(&[name("a"), name("b")]).unwrap();
        let error = tokens.refuse_names(&[name("a"), name("Token-of-a")]).unwrap_err().to_string();
        assert!(
            error.contains("2 of 2") && !error.to_lowercase().contains("token-of-a"),
            "{error}"
        );
    }
}
