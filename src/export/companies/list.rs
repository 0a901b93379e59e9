//! Which companies there are, and what is said of each: folders with a file a company, files with a line a company, and
//! standard input. What is said is read when a company's turn comes, so that a token that was rotated meanwhile counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
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
    Lines(PathBuf, HashMap<String, Spot>),
    /// What standard input said: it can be read once.
    Given(Vec<u8>, HashMap<String, Spot>),
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
            let mut origin = Origin::of(path, &mut read_stdin)?;
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
            return Ok(Self::Given(read_stdin()?, HashMap::new()));
        }
        let is_lines = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(LINES));
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => Ok(Self::Folder(path.to_owned())),
            Ok(_) if is_lines => Ok(Self::Lines(path.to_owned(), HashMap::new())),
            Ok(_) => Err(Error::config(format!(
                "{} is no folder and does not end in .{LINES}. Pass a folder with a file per company, a .{LINES} file, or - for standard input.",
                path.display()
            ))),
            Err(error) => Err(unreadable(path, &error)),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Folder(path) | Self::Lines(path, _) => path.display().to_string(),
            Self::Given(..) => "standard input".to_owned(),
        }
    }

    fn names(&mut self, warnings: &mut Vec<String>) -> Result<Vec<Name>> {
        let shown = self.shown();
        let (content, spots) = match self {
            Self::Folder(folder) => return names_in(folder, warnings),
            Self::Lines(path, spots) => (&content(path, u64::MAX)?, spots),
            Self::Given(lines, spots) => (&*lines, spots),
        };
        let mut names = Vec::new();
        for spot in lines_of(content) {
            let line = read_line(spot.of(content), &spot.origin(&shown))?;
            names.push(line.company.parse()?);
            spots.insert(line.company, spot);
        }
        Ok(names)
    }

    fn settings(&self, name: &Name) -> Result<Vec<Part>> {
        match self {
            Self::Folder(folder) => {
                let files =
                    [name.to_string(), format!("{name}{ENDING}")].map(|file| folder.join(file));
                files.iter().filter_map(|file| file_part(file).transpose()).collect()
            }
            Self::Lines(path, spots) => {
                // A thousand lines are not read again for one of them, as long as it is where it was.
                let there = spots.get(name.as_str()).and_then(|spot| {
                    let line = spot.read(path)?;
                    read_line(&line, &spot.origin(&self.shown())).ok()
                });
                match there.filter(|line| line.company == name.as_str()) {
                    Some(line) => Ok(vec![(line.settings, line.origin)]),
                    None => self.settings_in(&content(path, u64::MAX)?, name),
                }
            }
            Self::Given(lines, spots) => match spots.get(name.as_str()) {
                Some(spot) => {
                    let line = read_line(spot.of(lines), &spot.origin(&self.shown()))?;
                    Ok(vec![(line.settings, line.origin)])
                }
                None => Ok(Vec::new()),
            },
        }
    }

    /// What a file that has changed says of a company. A line that is wrong is not this company's, if another one is.
    fn settings_in(&self, content: &[u8], name: &Name) -> Result<Vec<Part>> {
        let mut wrong = None;
        for spot in lines_of(content) {
            match read_line(spot.of(content), &spot.origin(&self.shown())) {
                Ok(line) if line.company == name.as_str() => {
                    return Ok(vec![(line.settings, line.origin)]);
                }
                Ok(_) => {}
                Err(error) => drop(wrong.get_or_insert(error)),
            }
        }
        wrong.map_or(Ok(Vec::new()), Err)
    }
}

/// One line of a file of companies.
struct Line {
    company: String,
    settings: Vec<u8>,
    origin: String,
}

/// Where a line is in its file: a company's, as long as the file has not changed.
#[derive(Debug, Clone, Copy)]
struct Spot {
    start: usize,
    end: usize,
    number: usize,
}

impl Spot {
    /// The line in the content that it was found in.
    fn of(self, content: &[u8]) -> &[u8] {
        content.get(self.start..self.end).unwrap_or_default()
    }

    fn origin(self, shown: &str) -> String {
        format!("{shown}, line {}", self.number)
    }

    /// What the file has there now; `None` if that is no whole line.
    fn read(self, path: &Path) -> Option<Vec<u8>> {
        let mut file = File::open(path).ok()?;
        // With what is right before and behind it, which has to be the end of a line or of the file.
        let before = usize::from(self.start > 0);
        file.seek(SeekFrom::Start((self.start - before) as u64)).ok()?;
        let mut line = Vec::new();
        let length = before + (self.end - self.start) + 1;
        file.take(length as u64).read_to_end(&mut line).ok()?;
        let is_begun = before == 0 || line.first() == Some(&b'\n');
        let is_ended = line.len() < length || line.last() == Some(&b'\n');
        (is_begun && is_ended).then(|| line.get(before..).unwrap_or_default().to_vec())
    }
}

/// The lines that say something.
fn lines_of(content: &[u8]) -> impl Iterator<Item = Spot> {
    let mark = content.len() - without_mark(content).len();
    let mut start = mark;
    let numbered = without_mark(content).split(|byte| *byte == b'\n').zip(1..);
    numbered.filter_map(move |(line, number)| {
        let spot = Spot { start, end: start + line.len(), number };
        start = spot.end + 1;
        (!line.trim_ascii().is_empty()).then_some(spot)
    })
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
    Error::config(format!("{} cannot be read: {error}. Check the path.", path.display()))
}

#[cfg(test)]
mod tests;
