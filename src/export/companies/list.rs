//! Which companies there are, and what is said of each: folders with a file a company, files with a line a company, and
//! standard input. What is said is read when a company's turn comes, so that a token that was rotated meanwhile counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::name::Name;
use crate::document::{self, without_mark};
use crate::error::{Error, Result};

/// A configuration (JSON), and what it is called in messages.
pub type Part = (Vec<u8>, String);

/// The key of a line that names its company.
const COMPANY: &str = "company";

/// What a file of lines is called.
const LINES: &str = "jsonl";

/// The ending of a company's file that is no part of its name.
const ENDING: &str = ".json";

/// Bytes of a company's file at most: settings are short, and a token is shorter.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The companies of a run.
pub struct Companies {
    origins: Vec<Origin>,
    names: Vec<Name>,
}

/// Where companies are described.
enum Origin {
    Folder(PathBuf),
    Lines(PathBuf),
    /// What standard input said: it can be read once.
    Given(Vec<u8>),
}

impl Companies {
    /// Looks who is there. Later paths add to earlier ones. `read_stdin` is asked where a path is `-`. Also returned are
    /// warnings.
    ///
    /// # Errors
    /// `Config`: a path cannot be read, a name is bad or occurs twice, or nobody is there.
    pub fn find(
        paths: &[PathBuf],
        mut read_stdin: impl FnMut() -> Result<Vec<u8>>,
    ) -> Result<(Self, Vec<String>)> {
        let mut warnings = Vec::new();
        let mut names: BTreeMap<String, Name> = BTreeMap::new();
        let mut origins = Vec::new();
        for path in paths {
            let origin = Origin::of(path, &mut read_stdin)?;
            let mut own = BTreeSet::new();
            for name in origin.names(&mut warnings)? {
                let folded = name.folded();
                let is_other = names.get(&folded).is_some_and(|known| *known != name);
                if is_other || !own.insert(folded.clone()) {
                    return Err(Error::config(format!(
                        "Two companies are called `{name}` in {}, where upper and lower case are the same. Rename one of them.",
                        origin.shown()
                    )));
                }
                names.insert(folded, name);
            }
            origins.push(origin);
        }
        if names.is_empty() {
            let shown: Vec<String> = origins.iter().map(Origin::shown).collect();
            return Err(Error::config(format!(
                "There is no company in {}. Expected a file per company in a folder, or a line per company: {{\"company\": \"rosas\", \"authentication_token\": \"…\"}}.",
                shown.join(", ")
            )));
        }
        Ok((Self { origins, names: names.into_values().collect() }, warnings))
    }

    /// All of them, by name.
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    /// What is said of a company now, in the order in which later parts count.
    ///
    /// # Errors
    /// `Config`: it cannot be read, or nothing is said of it any more.
    pub fn settings(&self, name: &Name) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        for origin in &self.origins {
            parts.extend(origin.settings(name)?);
        }
        if parts.is_empty() {
            let shown: Vec<String> = self.origins.iter().map(Origin::shown).collect();
            return Err(Error::config(format!(
                "The company is not in {} any more. Nothing of its table was changed.",
                shown.join(", ")
            )));
        }
        Ok(parts)
    }
}

impl Origin {
    fn of(path: &Path, read_stdin: &mut impl FnMut() -> Result<Vec<u8>>) -> Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::Given(read_stdin()?));
        }
        let is_lines = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(LINES));
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => Ok(Self::Folder(path.to_owned())),
            Ok(_) if is_lines => Ok(Self::Lines(path.to_owned())),
            Ok(_) => Err(Error::config(format!(
                "{} is no folder and does not end in .{LINES}. Pass a folder with a file per company, a .{LINES} file, or - for standard input.",
                path.display()
            ))),
            Err(error) => Err(unreadable(path, &error)),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Folder(path) | Self::Lines(path) => path.display().to_string(),
            Self::Given(_) => "standard input".to_owned(),
        }
    }

    fn names(&self, warnings: &mut Vec<String>) -> Result<Vec<Name>> {
        match self {
            Self::Folder(folder) => names_in(folder, warnings),
            Self::Lines(path) => self.names_of(&content(path, u64::MAX)?),
            Self::Given(lines) => self.names_of(lines),
        }
    }

    fn names_of(&self, lines: &[u8]) -> Result<Vec<Name>> {
        let named = |line: Result<Line>| line?.company.parse();
        lines_of(lines, &self.shown(), |_| true).map(named).collect()
    }

    fn settings(&self, name: &Name) -> Result<Vec<Part>> {
        match self {
            Self::Folder(folder) => {
                let files =
                    [name.to_string(), format!("{name}{ENDING}")].map(|file| folder.join(file));
                files.iter().filter_map(|file| file_part(file).transpose()).collect()
            }
            Self::Lines(path) => self.settings_of(&content(path, u64::MAX)?, name),
            Self::Given(lines) => self.settings_of(lines, name),
        }
    }

    fn settings_of(&self, lines: &[u8], name: &Name) -> Result<Vec<Part>> {
        let wanted = name.as_str().as_bytes();
        // A thousand lines are not parsed for one of them; a `\u0072` may stand for a letter of the name.
        let has_name = |line: &[u8]| {
            line.contains(&b'\\') || line.windows(wanted.len()).any(|part| part == wanted)
        };
        for line in lines_of(lines, &self.shown(), has_name) {
            let Line { company, settings, origin } = line?;
            if company == name.as_str() {
                return Ok(vec![(settings, origin)]);
            }
        }
        Ok(Vec::new())
    }
}

/// One line of a file of companies.
struct Line {
    company: String,
    settings: Vec<u8>,
    origin: String,
}

/// The lines that say something and may be wanted, each with where it is.
fn lines_of<'a>(
    lines: &'a [u8],
    shown: &'a str,
    may_be_wanted: impl Fn(&[u8]) -> bool + 'a,
) -> impl Iterator<Item = Result<Line>> + 'a {
    let numbered = without_mark(lines).split(|byte| *byte == b'\n').zip(1..);
    let said =
        numbered.filter(move |(line, _)| !line.trim_ascii().is_empty() && may_be_wanted(line));
    said.map(move |(line, number)| read_line(line, &format!("{shown}, line {number}")))
}

fn read_line(line: &[u8], origin: &str) -> Result<Line> {
    let expected =
        "Expected something like {\"company\": \"rosas\", \"authentication_token\": \"…\"}.";
    let mut members: BTreeMap<String, Box<RawValue>> =
        document::parse(line, &format!("The company ({origin})"), expected)?;
    let company = members.remove(COMPANY).and_then(|company| {
        serde_json::from_str::<Value>(company.get()).ok()?.as_str().map(str::to_owned)
    });
    let Some(company) = company else {
        return Err(Error::config(format!(
            "A line names no company: see {origin}. Add \"company\": \"NAME\"."
        )));
    };
    let settings = serde_json::to_vec(&members).map_err(|error| {
        Error::bug("The settings of a company could not be kept").caused_by(error)
    })?;
    Ok(Line { company, settings, origin: origin.to_owned() })
}

/// The companies of a folder: a file each, links followed. Names with a leading dot are not looked at.
fn names_in(folder: &Path, warnings: &mut Vec<String>) -> Result<Vec<Name>> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if file.starts_with('.') {
            continue;
        }
        // Whoever cannot be looked at fails when its turn comes, alone.
        if std::fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            warnings.push(format!(
                "`{file}` in {} is not a file, so it is no company. It is skipped.",
                folder.display()
            ));
            continue;
        }
        names.push(file.strip_suffix(ENDING).unwrap_or(&file).parse()?);
    }
    Ok(names)
}

/// What a company's file says; `None` if it is not there. Settings begin with a brace, all else is the token.
fn file_part(file: &Path) -> Result<Option<Part>> {
    let origin = file.display().to_string();
    let content = match std::fs::symlink_metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        _ => content(file, MAX_FILE_BYTES)?,
    };
    if without_mark(&content).trim_ascii_start().starts_with(b"{") {
        return Ok(Some((content, origin)));
    }
    let text = std::str::from_utf8(without_mark(&content)).map_err(|_| {
        Error::config(format!(
            "{origin} is not UTF-8 text. Put the token alone into it, or settings as JSON."
        ))
    })?;
    // As editors and shells add it.
    let token = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text));
    let token = token.unwrap_or(text);
    let part = json!({ "authentication_token": token }).to_string();
    Ok(Some((part.into_bytes(), origin)))
}

fn content(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let read = file.take(most.saturating_add(1)).read_to_end(&mut content);
    let read = read.map_err(|error| unreadable(path, &error))?;
    if read as u64 > most {
        return Err(Error::config(format!(
            "{} is larger than 1 MiB, so it is not a company's. Put its token or its settings there.",
            path.display()
        )));
    }
    Ok(content)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::config(format!(
        "{} cannot be read: {error}. Check the path and its permissions.",
        path.display()
    ))
}

#[cfg(test)]
mod tests;
