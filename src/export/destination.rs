//! What `--to` means, decided once: a table, a file or stdout.

use std::str::FromStr;

use object_store::path::PathPart;
use strsim::damerau_levenshtein;

use crate::error::{Error, Result};
use crate::store::{Place, Store};

/// What the name of a Parquet file ends with, in any case.
pub(super) const ENDING: &str = ".parquet";

/// Standard output.
const STDOUT: &str = "-";

/// Folder names that end in `.parquet` up to this many slips of the hand are taken for misspelt files.
const MAX_SLIPS: usize = 2;

/// Endings of files that are compressed as a whole.
const COMPRESSED: [&str; 7] = [".gz", ".zst", ".zip", ".bz2", ".xz", ".lz4", ".snappy"];

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

impl TablePlace {
    /// The place of a company's table: a folder of its name, which is not read as a place.
    ///
    /// # Errors
    /// `Config`: the folder is a link to nothing.
    pub(super) fn below(store: &Store, name: &str) -> Result<(Store, Self)> {
        let store = store.below(name)?;
        let place = store.place().clone();
        Ok((store, Self { place, doubt: None }))
    }
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
        if let Some(log) = parents.position(|part| part.as_ref().eq_ignore_ascii_case("_delta_log"))
        {
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
        if place.is_local() && std::path::Path::new(&place.to_string()).is_file() {
            return Err(Error::config(format!(
                "{place} is a file, so no table can be made below it. Use the name of a folder, or one that ends in {ENDING}."
            )));
        }
        let doubt = doubt(&place, &name).or_else(|| doubt_above(&place));
        Ok(Self::Table(TablePlace { place, doubt }))
    }
}

impl Destination {
    fn file(place: Place) -> Result<Self> {
        let there = std::fs::metadata(place.to_string()).ok().filter(|_| place.is_local());
        match there {
            Some(there) if there.is_dir() => Err(Error::config(format!(
                "{place} is a folder, and a place that ends in .parquet is a file. Use another name, or move the folder away."
            ))),
            Some(there) if !there.is_file() => Err(Error::config(format!(
                "{place} is a pipe or a device, and a Parquet file is replaced whole. Use another name, or --to - for a stream."
            ))),
            _ => Ok(Self::File(place)),
        }
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
    let plain = COMPRESSED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    if let Some(ending) = OTHER_ENDINGS.iter().find(|ending| plain.ends_with(*ending)) {
        let stem = plain.len() - ending.len();
        let (folder, file) = (renamed(stem, "")?, renamed(stem, ENDING)?);
        let ending = &name[stem..];
        return Some(format!(
            "{place} ends in {ending}, which is not written. Use {file} for a Parquet file, or {folder} for a table."
        ));
    }
    let file = if let Some(at) = name.find(ENDING) {
        renamed(at, ENDING)?
    } else {
        let is_near = |at: &usize| damerau_levenshtein(&name[*at..], ENDING) <= MAX_SLIPS;
        let mut dots = name.match_indices(['.', ',']).map(|(at, _)| at);
        renamed(dots.find(is_near)?, ENDING)?
    };
    Some(format!("{place} is neither a Parquet file nor a usual folder. Did you mean {file}?"))
}

/// Why a folder is probably not wanted inside one that is named as a file.
fn doubt_above(place: &Place) -> Option<String> {
    let parts: Vec<_> = place.path().parts().collect();
    let is_file = |part: &PathPart<'_>| part.as_ref().to_ascii_lowercase().ends_with(ENDING);
    let at = parts.iter().position(is_file)?;
    let file = place.shown(&parts.into_iter().take(at + 1).collect());
    Some(format!(
        "{place} is inside a folder that is named as a Parquet file. Did you mean {file}?"
    ))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

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
            "geoparquet",
            "raw_parquet",
            "lake.2026.11",
            "lake.gz",
            "csv",
            "a.csv.d",
            "s3://b/a.csv/lake",
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
            ("s3://b/out.csv.gz", "ends in .csv.gz"),
            ("s3://b/out.CSV.ZST", "s3://b/out.parquet"),
            ("s3://b/lake.par.quet", "s3://b/lake.parquet"),
            ("s3://b/lake,parquet", "s3://b/lake.parquet"),
            ("s3://b/lake. parquet", "s3://b/lake.parquet"),
            ("az://c/x.parquet/y", "Did you mean az://c/x.parquet?"),
            ("gs://b/X.PARQUET/y/z", "Did you mean gs://b/X.PARQUET?"),
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

    /// Folders of every kind of store, and of this machine.
    const FOLDERS: [&str; 6] = [
        "s3://b/",
        "s3a://b/p/",
        "gs://b/p/",
        "az://c/",
        "abfss://c@a.dfs.core.windows.net/p/",
        "/no/such/",
    ];

    proptest! {
        #[test]
        fn an_ending_with_up_to_two_slips_never_makes_a_folder_in_silence(
            folder in select(&FOLDERS[..]),
            stem in "[a-z0-9_-]{1,8}",
            slips in vec((0..4_u8, 1..ENDING.len(), "[a-zA-Z0-9]"), 0..=MAX_SLIPS),
        ) {
            let mut ending: Vec<char> = ENDING.chars().collect();
            for (slip, at, letter) in slips {
                let (at, letter) = (at.min(ending.len() - 1), letter.chars().next().unwrap());
                match slip {
                    0 => drop(ending.remove(at)),
                    1 => ending.insert(at, letter),
                    2 => ending[at] = letter,
                    _ => ending[1..].swap(0, at - 1),
                }
            }
            let slipped: String = ending.into_iter().collect();
            let is_near = damerau_levenshtein(&slipped.to_lowercase(), ENDING) <= MAX_SLIPS;
            match parsed(&format!("{folder}{stem}{slipped}")).unwrap() {
                Destination::Table(table) => {
                    prop_assert_eq!(table.doubt.is_some(), is_near, "{}{}", stem, slipped);
                }
                other => prop_assert!(slipped.eq_ignore_ascii_case(ENDING), "{other:?}"),
            }
        }

        #[test]
        fn a_usual_name_of_a_folder_is_one(
            folder in select(&FOLDERS[..]),
            name in "[a-zA-Z0-9_-]{1,12}(\\.[0-9v]{1,3}){0,2}",
        ) {
            let Destination::Table(table) = parsed(&format!("{folder}{name}")).unwrap() else {
                panic!("{name}")
            };
            prop_assert_eq!(table.doubt, None);
            prop_assert_eq!(table.place.to_string(), format!("{folder}{name}"));
        }
    }

    #[test]
    fn the_inside_of_a_log_and_a_folder_named_as_a_file_are_refused() {
        for (text, meant) in [
            ("s3://b/lake/_delta_log", "s3://b/lake?"),
            ("s3://b/lake/customers/_delta_log/x", "s3://b/lake/customers?"),
            ("s3://b/lake/_delta_log/x.parquet", "s3://b/lake?"),
            ("/no/such/lake/_DELTA_LOG", "/no/such/lake?"),
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
        let pipe = folder.path().join("pipe.parquet");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.is_ok_and(|made| made.success()));
        let error = parsed(pipe.to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains("is a pipe"), "{error}");
    }
}
