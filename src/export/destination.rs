//! What `--to` means, decided once: a table, a file or stdout.

use std::str::FromStr;

use strsim::damerau_levenshtein;

use crate::error::{Error, Result};
use crate::store::Place;

/// What the name of a Parquet file ends with, in any case.
pub(super) const ENDING: &str = ".parquet";

/// Standard output.
const STDOUT: &str = "-";

/// Folder names that end in `.parquet` up to this many slips of the hand are taken for misspelt files.
const MAX_SLIPS: usize = 2;

/// Endings of files that are not written.
const OTHER_ENDINGS: [&str; 11] = [
    ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt", ".avro", ".orc", ".xlsx", ".arrow",
    ".feather",
];

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A Delta table below a place, or the place itself where it is a table.
    Table(TablePlace),
    /// One Parquet file.
    File(Place),
    /// An Arrow stream.
    Stdout,
}

/// The place of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePlace {
    /// What the user named.
    pub place: Place,
    /// Why a folder of this name is refused, unless a table is there already.
    pub(super) doubt: Option<String>,
}

impl FromStr for Destination {
    type Err = Error;

    /// Understands `--to`. No store is asked; the folders of this machine are.
    ///
    /// # Errors
    /// `Config`: it is no place, or one that was probably not meant. The message names the one that was.
    fn from_str(text: &str) -> Result<Self> {
        if text == STDOUT {
            return Ok(Self::Stdout);
        }
        let place = Place::parse(text)?;
        let mut parents = place.path().parts();
        if let Some(log) = parents.position(|part| part.as_ref() == "_delta_log") {
            let table = place.path().parts().take(log).collect();
            return Err(Error::config(format!(
                "{place} is inside the log of a table. Did you mean {}?",
                place.shown(&table)
            )));
        }
        let name = place.name().unwrap_or_default().to_ascii_lowercase();
        if name.ends_with(ENDING) {
            return Self::file(place);
        }
        let doubt = doubt(&place, &name);
        Ok(Self::Table(TablePlace { place, doubt }))
    }
}

impl Destination {
    fn file(place: Place) -> Result<Self> {
        if place.is_local() && std::path::Path::new(&place.to_string()).is_dir() {
            return Err(Error::config(format!(
                "{place} is a folder, and a place that ends in .parquet is a file. Use another name, or move the folder away."
            )));
        }
        Ok(Self::File(place))
    }
}

/// Why the name of a folder is probably a misspelt file.
fn doubt(place: &Place, name: &str) -> Option<String> {
    let original = place.name()?;
    let renamed = |length: usize, ending: &str| {
        let path = place.to_string();
        let stem = path.get(..path.len() - (original.len() - length))?;
        Some(format!("{stem}{ending}"))
    };
    if let Some(ending) = OTHER_ENDINGS.iter().find(|ending| name.ends_with(*ending)) {
        let (folder, file) =
            (renamed(name.len() - ending.len(), "")?, renamed(name.len() - ending.len(), ENDING)?);
        return Some(format!(
            "{place} ends in {ending}, which is not written. Use {file} for a Parquet file, or {folder} for a table."
        ));
    }
    let file = if let Some(at) = name.find(ENDING) {
        renamed(at, ENDING)?
    } else {
        let dot = name.rfind('.')?;
        if damerau_levenshtein(&name[dot..], ENDING) > MAX_SLIPS {
            return None;
        }
        renamed(dot, ENDING)?
    };
    Some(format!("{place} is neither a Parquet file nor a usual folder. Did you mean {file}?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn parsed(text: &str) -> Result<Destination> {
        text.parse()
    }

    #[test]
    fn a_place_is_a_table_a_file_or_stdout() {
        assert_eq!(parsed("-").unwrap(), Destination::Stdout);
        for file in
            ["x.parquet", "a/b.c.PARQUET", "s3://b/x.Parquet", "./-.parquet", "gs://b/x.parquet/"]
        {
            assert!(matches!(parsed(file).unwrap(), Destination::File(_)), "{file}");
        }
        for table in [
            "lake",
            "lake.v2",
            "s3://b",
            "az://c/lake.2026",
            "./-",
            "parquet",
            "x.pq",
            "lake/customers",
            ".lake",
        ] {
            let Destination::Table(table) = parsed(table).unwrap() else { panic!("{table}") };
            assert_eq!(table.doubt, None, "{table:?}");
        }
    }

    #[test]
    fn a_name_that_is_probably_a_misspelt_file_is_doubted() {
        for (text, meant) in [
            ("s3://b/lake.parqet", "s3://b/lake.parquet"),
            ("s3://b/lake.PARQET", "s3://b/lake.parquet"),
            ("s3://b/lake.parquett", "s3://b/lake.parquet"),
            ("s3://b/lake.paruqet", "s3://b/lake.parquet"),
            ("s3://b/lake.parq", "s3://b/lake.parq"),
            ("s3://b/a.parquet.gz", "s3://b/a.parquet"),
            ("s3://b/a.parquet.zst", "s3://b/a.parquet"),
            ("s3://b/a.parquet~", "s3://b/a.parquet"),
            ("s3://b/x.parquet2", "s3://b/x.parquet"),
            ("gs://b/out.csv", "gs://b/out.parquet"),
            ("az://c/out.JSONL", "az://c/out for"),
            ("s3://b/ñ.tsv", "s3://b/ñ.parquet"),
            ("s3://b/x.arrow", "s3://b/x.parquet"),
        ] {
            let Destination::Table(table) = parsed(text).unwrap() else { panic!("{text}") };
            let is_close = damerau_levenshtein(".parq", ENDING) <= MAX_SLIPS;
            match table.doubt {
                Some(doubt) => assert!(doubt.contains(meant), "{text}: {doubt}"),
                None => assert!(text.ends_with(".parq") && !is_close, "{text}"),
            }
        }
        for ending in OTHER_ENDINGS {
            let Destination::Table(table) = parsed(&format!("s3://b/x{ending}")).unwrap() else {
                panic!()
            };
            assert!(table.doubt.is_some(), "{ending}");
        }
    }

    #[test]
    fn the_inside_of_a_log_and_a_folder_named_as_a_file_are_refused() {
        for (text, meant) in [
            ("s3://b/lake/_delta_log", "s3://b/lake?"),
            ("s3://b/lake/customers/_delta_log/x", "s3://b/lake/customers?"),
            ("s3://b/lake/_delta_log/x.parquet", "s3://b/lake?"),
        ] {
            let error = parsed(text).unwrap_err();
            assert_eq!(error.kind(), Kind::Config);
            assert!(error.to_string().contains(meant), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let spark = folder.path().join("x.parquet");
        std::fs::create_dir(&spark).unwrap();
        let error = parsed(spark.to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains("is a folder"), "{error}");
    }
}
