//! What files are called: those of a log, as the Delta protocol has it, and those that this program makes.

use crate::model::arrow::COMPANY;
use crate::store::is_probe;

/// An entry of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// The commit of a version.
    Commit(u64),
    /// A checkpoint of a version, or the part of one, with how many parts there are.
    Checkpoint(u64, u64),
    /// A checksum of a version.
    Checksum(u64),
    /// Commits from a version on, in one file.
    Compacted(u64),
}

impl Entry {
    /// What an entry of this name is; `None` for what is not of the log, or of another version of the protocol.
    pub(super) fn named(name: &str) -> Option<Self> {
        let (version, rest) = name.split_once('.')?;
        let version = number(version, 20)?;
        let parts: Vec<&str> = rest.split('.').collect();
        match parts.as_slice() {
            ["json"] => Some(Self::Commit(version)),
            ["crc"] => Some(Self::Checksum(version)),
            ["checkpoint", "parquet"] => Some(Self::Checkpoint(version, 1)),
            ["checkpoint", part, of, "parquet"] => {
                let (part, of) = (number(part, 10)?, number(of, 10)?);
                (part > 0 && part <= of).then_some(Self::Checkpoint(version, of))
            }
            // The protocol's second kind, whose rows may be in files of their own.
            ["checkpoint", _, "parquet" | "json"] => Some(Self::Checkpoint(version, 1)),
            [to, "compacted", "json"] => number(to, 20).map(|_| Self::Compacted(version)),
            _ => None,
        }
    }

    /// The version that it is of, or begins with.
    pub(super) fn version(self) -> u64 {
        match self {
            Self::Commit(version)
            | Self::Checkpoint(version, _)
            | Self::Checksum(version)
            | Self::Compacted(version) => version,
        }
    }
}

fn number(text: &str, digits: usize) -> Option<u64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// The name of a run, as `run_name` makes it: `20261124T060203Z-0123456789abcdef`.
fn is_run(text: &str) -> bool {
    const FORM: &[u8] = b"99999999T999999Z-ffffffffffffffff";
    text.len() == FORM.len()
        && text.bytes().zip(FORM).all(|(byte, form)| match form {
            b'9' => byte.is_ascii_digit(),
            b'f' => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            form => byte == *form,
        })
}

/// The name of a file in the folder of its company's part of a table, without that folder; others as they are.
pub(super) fn below_company(name: &str) -> &str {
    let below = name.strip_prefix(COMPANY).and_then(|rest| rest.strip_prefix('='));
    below.and_then(|rest| rest.split_once('/')).map_or(name, |(_, file)| file)
}

/// Whether this program gives files of tables such a name: `part-RUN-00-00000.zstd.parquet`, or that of an object that
/// is there for a moment.
pub(super) fn is_of_table(name: &str) -> bool {
    let is_part = || {
        let rest = name.strip_prefix("part-")?.strip_suffix(".zstd.parquet")?;
        let (run, numbers) = rest.split_at_checked(33)?;
        let (attempt, file) = numbers.strip_prefix('-')?.split_once('-')?;
        let is_number = |text: &str, least: usize| {
            text.len() >= least && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        Some(is_run(run) && is_number(attempt, 2) && is_number(file, 5))
    };
    is_probe(name) || is_part() == Some(true)
}

/// Whether this program gives files of rejected records such a name: `RUN.jsonl`.
pub(super) fn is_of_rejects(name: &str) -> bool {
    name.strip_suffix(".jsonl").is_some_and(is_run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::report::run_name;
    use crate::model::Timestamp;

    #[test]
    fn the_names_of_a_log_are_known_and_no_others() {
        let version = format!("{:020}", 12);
        let name = |rest: &str| Entry::named(&format!("{version}.{rest}"));
        let part = |part: u32, of: u32| format!("checkpoint.{part:010}.{of:010}.parquet");
        for (rest, entry) in [
            ("json", Some(Entry::Commit(12))),
            ("crc", Some(Entry::Checksum(12))),
            ("checkpoint.parquet", Some(Entry::Checkpoint(12, 1))),
            (&part(1, 3), Some(Entry::Checkpoint(12, 3))),
            (&part(3, 3), Some(Entry::Checkpoint(12, 3))),
            (&part(0, 3), None),
            (&part(4, 3), None),
            ("checkpoint.80a083e8-7026.json", Some(Entry::Checkpoint(12, 1))),
            (&format!("{:020}.compacted.json", 20), Some(Entry::Compacted(12))),
            ("json.tmp", None),
            ("80a083e8-7026.json", None),
            ("checkpoint", None),
        ] {
            assert_eq!(name(rest), entry, "{rest}");
        }
        for other in ["_last_checkpoint", "_sidecars", "12.json", "x", ".json"] {
            assert_eq!(Entry::named(other), None, "{other}");
        }
    }

    #[test]
    fn the_names_that_this_program_gives_are_known_and_no_others() {
        let run = run_name(Timestamp::from_micros(1_770_000_000_000_000).unwrap());
        assert!(is_of_table(&format!("part-{run}-00-00000.zstd.parquet")));
        assert!(is_of_table(".kometsales-0123456789abcdef"));
        let of_company = format!("company=rosas/part-{run}-00-00000.zstd.parquet");
        assert!(is_of_table(below_company(&of_company)) && !is_of_table(&of_company));
        for other in ["rosas/part-x", "company=a/b/c", "company=rosas"] {
            assert!(!is_of_table(below_company(other)), "{other}");
        }
        assert!(is_of_rejects(&format!("{run}.jsonl")));
        for other in [
            "part-00000-1f0f2b6c-a8d8-4f4a-bb0a-0a4c1f0f2b6c-c000.snappy.parquet".to_owned(),
            format!("part-{run}-00-00000.parquet"),
            format!("part-{run}-0-00000.zstd.parquet"),
            format!("part-{run}-00-0000x.zstd.parquet"),
            format!("_part-{run}-00-00000.zstd.parquet"),
            format!("{run}.jsonl"),
            ".kometsales-".into(),
            ".kometsales-0123456789abcdeg".into(),
            "notes.txt".into(),
        ] {
            assert!(!is_of_table(&other), "{other}");
        }
        assert!(!is_of_rejects("notes.jsonl") && !is_of_rejects(&run));
    }
}
