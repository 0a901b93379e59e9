//! One page of the list of a bucket.

use super::objects::{Object, Objects};

/// What is to be listed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Selection<'a> {
    pub(super) bucket: &'a str,
    pub(super) prefix: &'a str,
    /// Keys with this after the prefix are not listed, but what they have in common up to it.
    pub(super) delimiter: Option<&'a str>,
    /// Keys up to this one are left out.
    pub(super) start_after: &'a str,
    /// Entries up to the one that ended the page before are left out.
    pub(super) token: Option<&'a str>,
    pub(super) page_size: usize,
}

/// What is listed, objects first, as the stores do.
#[derive(Debug, Default)]
pub(super) struct Page<'a> {
    pub(super) objects: Vec<(&'a str, &'a Object)>,
    /// What several keys begin with, or one.
    pub(super) prefixes: Vec<&'a str>,
    /// What the client gives back to get the next page.
    pub(super) next: Option<String>,
}

impl Page<'_> {
    pub(super) fn count(&self) -> usize {
        self.objects.len() + self.prefixes.len()
    }

    pub(super) fn of<'a>(objects: &'a Objects, selection: &Selection<'a>) -> Page<'a> {
        let mut page = Page::default();
        let mut last = selection.token.unwrap_or_default();
        for (key, object) in objects.of(selection.bucket) {
            let Some(rest) = key.strip_prefix(selection.prefix) else { continue };
            let delimiter =
                selection.delimiter.and_then(|it| rest.find(it).map(|at| at + it.len()));
            let prefix = delimiter.map(|length| &key[..selection.prefix.len() + length]);
            let name = prefix.unwrap_or(key);
            // Keys are sorted, so that those with the same beginning follow each other.
            if key <= selection.start_after || name <= last {
                continue;
            }
            if page.count() == selection.page_size {
                page.next = Some(last.to_owned());
                break;
            }
            match prefix {
                Some(prefix) => page.prefixes.push(prefix),
                None => page.objects.push((key, object)),
            }
            last = name;
        }
        page
    }
}
