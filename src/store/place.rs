//! A place as a person writes it: a URL of an object store, or a path of this machine. It is understood once, or
//! refused with the place that was probably meant. No store is asked for that; the folders of this machine are.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Component, Path as LocalPath, PathBuf};

use object_store::path::Path;
use url::Url;

use super::slips::{self, LOCAL, PLACES, refuse_backslash};
use crate::error::{Error, Result};

/// A place that is understood. Nothing was asked of its store yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Without a `/` at the end.
    url: Url,
    path: Path,
}

impl Place {
    /// Understands a place. Links in a local path are followed, so that there is one name for it from here on.
    ///
    /// # Errors
    /// `Config`: it is none, or it is one that was probably not meant.
    pub fn parse(text: &str) -> Result<Self> {
        slips::refuse(text)?;
        let url = match text.split_once("://") {
            Some((scheme, rest)) => remote(text, scheme, rest)?,
            None => local(LocalPath::new(text))?,
        };
        let refuse = |error: object_store::path::Error| {
            Error::config(format!("`{text}` cannot be a place: {error}. Use {PLACES}."))
        };
        let path = Path::from_url_path(url.path()).map_err(refuse)?;
        let url = if url.scheme() == LOCAL { url } else { with_path(url, &path) };
        Ok(Self { url, path })
    }

    /// The URL, without a `/` at its end.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The object or folder inside the store.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// True for a place on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.url.scheme() == LOCAL
    }

    /// The last part of its path; `None` for a whole bucket.
    pub(crate) fn name(&self) -> Option<&str> {
        self.path.filename()
    }

    /// A folder of this name below it, which is not read as a place of its own: `s3:` would be a folder. A link
    /// in its stead is followed.
    ///
    /// # Errors
    /// `Config`: it is a link to nothing.
    pub(crate) fn below(&self, name: &str) -> Result<Self> {
        let path = self.path.clone().join(name);
        let mut url = self.url.clone();
        if self.is_local() {
            url = local(LocalPath::new(&self.shown(&path)))?;
        } else if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(name);
        }
        let path = if self.is_local() { Path::from_url_path(url.path()) } else { Ok(path) };
        let path = path.map_err(|error| {
            Error::config(format!("`{name}` cannot be a folder below {self}: {error}. Rename it."))
        })?;
        Ok(Self { url, path })
    }

    /// An object of the same store as people write it: a path on this machine, a URL otherwise.
    pub(crate) fn shown(&self, path: &Path) -> String {
        if self.is_local() {
            return format!("/{path}");
        }
        let container = match self.url.username() {
            "" => String::new(),
            container => format!("{container}@"),
        };
        let host = self.url.host_str().unwrap_or_default();
        // In a URL `%41` would be `A`, and the others would not be of the path.
        let path = path.as_ref().replace('%', "%25").replace('@', "%40");
        let path = path.replace('?', "%3F").replace('#', "%23");
        format!("{}://{container}{host}/{path}", self.url.scheme())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown(&self.path))
    }
}

fn remote(text: &str, scheme: &str, rest: &str) -> Result<Url> {
    let scheme = scheme.to_ascii_lowercase();
    let is_abfs = scheme.starts_with("abfs");
    let is_path = scheme == LOCAL && rest.starts_with('/');
    let users = rest.split('/').next().unwrap_or_default().matches('@').count();
    let credentials = if is_abfs || is_path { &['?', '#'][..] } else { &['@', '?', '#'][..] };
    // What such a text holds may be a secret, so it is not shown.
    if rest.contains(credentials)
        || (is_abfs && users > 1)
        || (is_abfs && rest.split('@').next().unwrap_or("").contains(':'))
    {
        return Err(Error::config(
            "The place to export to has an `@`, a `?` or a `#` in it. Pass the URL alone: credentials are read from the environment.",
        ));
    }
    if scheme == LOCAL {
        if !rest.starts_with('/') {
            let path = rest.strip_prefix("localhost/").unwrap_or(rest);
            return Err(Error::config(format!(
                "`{text}` names a machine. Did you mean file:///{path}?"
            )));
        }
        // In a URL of this machine a backslash would be read as a slash.
        refuse_backslash(text)?;
        let path = Url::parse(text).ok().and_then(|url| url.to_file_path().ok());
        let path =
            path.ok_or_else(|| Error::config(format!("`{text}` is not a URL. Use {PLACES}.")))?;
        refuse_backslash(&path.to_string_lossy())?;
        return local(&path);
    }
    let no_url = || Error::config(format!("`{text}` is not a URL. Use {PLACES}."));
    let mut url = Url::parse(text).map_err(|_| no_url())?;
    if url.host_str().is_none_or(str::is_empty) || (is_abfs && url.username().is_empty()) {
        let form = match scheme.as_str() {
            "abfs" | "abfss" => "abfss://container@account.dfs.core.windows.net/path".to_owned(),
            "az" => "az://container/path".to_owned(),
            scheme => format!("{scheme}://bucket/path"),
        };
        return Err(Error::config(format!("`{text}` names no bucket or container. Use {form}.")));
    }
    if url.port().is_some() {
        return Err(Error::config(format!(
            "`{text}` has a port, which no bucket or container has. Set the endpoint of a store in its variable, such as AWS_ENDPOINT_URL."
        )));
    }
    let trimmed = url.path().trim_end_matches('/').to_owned();
    url.set_path(&trimmed);
    Ok(url)
}

/// A URL of an object store with a path in its usual form, so that `s3://b/%41` and `s3://b/A` are one place in everything.
fn with_path(mut url: Url, path: &Path) -> Url {
    if let Ok(mut segments) = url.path_segments_mut()
        && path.parts().next().is_some()
    {
        segments.clear().extend(path.parts().map(|part| part.as_ref().to_owned()));
    }
    url
}

/// The one name of a local path: its deepest part that exists, with every link followed, and the rest behind it.
fn local(path: &LocalPath) -> Result<Url> {
    let shown = path.display();
    let absolute = std::path::absolute(path).map_err(|error| {
        Error::config(format!("The path {shown} cannot be read: {error}. Check it."))
    })?;
    let mut rest: Vec<Component<'_>> = Vec::new();
    let mut existing = absolute.as_path();
    let mut canonical = loop {
        match existing.canonicalize() {
            Ok(canonical) => break canonical,
            Err(_) if existing.is_symlink() => {
                return Err(link_to_nothing(existing.display()));
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => {
                return Err(Error::config(format!(
                    "The path {shown} cannot be read: {error}. Check each part of it, and its permissions."
                )));
            }
        }
        rest.extend(existing.components().next_back());
        existing = existing.parent().unwrap_or(LocalPath::new("/"));
    };
    if !rest.is_empty() && !canonical.is_dir() {
        return Err(Error::config(format!(
            "{} is a file, so nothing can be made below it. Use another place.",
            canonical.display()
        )));
    }
    let leads_back = rest.contains(&Component::ParentDir);
    for part in rest.into_iter().rev() {
        match part {
            Component::ParentDir => drop(canonical.pop()),
            part => canonical.push(part),
        }
    }
    if leads_back {
        // It may lead to a link that was not looked at.
        return local(&canonical);
    }
    // One may come from the folder that the program is in, or from where a link leads.
    refuse_backslash(&canonical.to_string_lossy())?;
    url_of(&canonical).ok_or_else(|| {
        Error::config(format!(
            "The path {shown} is not UTF-8, which no reader of tables takes. Rename it."
        ))
    })
}

/// The error of a link whose end is missing.
pub(super) fn link_to_nothing(link: impl fmt::Display) -> Error {
    Error::config(format!("{link} is a link to nothing. Remove it, or make what it leads to."))
}

fn url_of(path: &PathBuf) -> Option<Url> {
    path.to_str()?;
    let mut url = Url::from_file_path(path).ok()?;
    let trimmed = url.path().trim_end_matches('/').to_owned();
    url.set_path(&trimmed);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn refused(text: &str) -> String {
        let error = Place::parse(text).expect_err(text);
        assert_eq!(error.kind(), Kind::Config, "{text}");
        error.to_string()
    }

    #[test]
    fn a_place_is_shown_as_people_write_it() {
        for text in [
            "s3://bucket/a/b",
            "s3a://bucket/a",
            "gs://bucket/ñ",
            "az://container/p",
            "abfss://c@account.dfs.core.windows.net/p/q",
            "/no/such/folder",
            "/home/me@corp/lake",
        ] {
            assert_eq!(Place::parse(text).unwrap().to_string(), text);
            assert_eq!(Place::parse(&format!("{text}/")).unwrap().to_string(), text);
        }
        assert_eq!(Place::parse("S3://bucket/a").unwrap().to_string(), "s3://bucket/a");
        assert_eq!(Place::parse("file:///no/such/folder").unwrap().to_string(), "/no/such/folder");
        assert_eq!(Place::parse("/no/such/../lake.v2").unwrap().to_string(), "/no/lake.v2");
        let percent = Place::parse("s3://b/%2541").unwrap();
        assert_eq!((percent.to_string().as_str(), percent.name()), ("s3://b/%2541", Some("%41")));
        for text in ["s3://b/a%40b", "gs://b/a%3Fb%23", "abfss://c@a.dfs.core.windows.net/a%40b"] {
            assert_eq!(Place::parse(text).unwrap().to_string(), text);
        }
        let same = Place::parse("s3://b/A/x y").unwrap();
        assert_eq!(Place::parse("s3://b/%41/x%20y").unwrap(), same);
    }

    #[test]
    fn what_is_no_place_is_refused_with_the_form_of_one() {
        for (text, meant) in [
            ("file://x/y", "file:///x/y"),
            ("file://localhost/y", "file:///y"),
            ("s3://", "bucket"),
            ("s3:///x", "bucket"),
            ("gs://", "gs://bucket/path"),
            ("az:///c", "az://container/path"),
            ("abfss://account.dfs.core.windows.net/x", "container@account"),
            ("file:///a\\b", "/a/b"),
            ("s3:/bucket/x", "s3://bucket/x"),
        ] {
            let message = refused(text);
            assert!(message.contains(meant), "{text}: {message}");
        }
    }

    #[test]
    fn credentials_in_a_place_are_refused_and_not_shown() {
        for text in [
            "s3://key:hidden@bucket/x",
            "az://c/x?sig=hidden",
            "gs://b/x#hidden",
            "abfss://c:hidden@a.dfs.core.windows.net/x",
            "abfss://c@a:hidden@b.dfs.core.windows.net/x",
            "abfss://c@a.dfs.core.windows.net/x?sig=hidden",
            "http://me:hidden@host/x",
        ] {
            assert!(!refused(text).contains("hidden"), "{text}");
        }
    }

    #[test]
    fn a_dot_insists_on_a_folder_of_a_strange_name() {
        let place = Place::parse("./s3:x").unwrap();
        assert!(place.is_local() && place.name() == Some("s3:x"), "{place}");
    }

    #[test]
    fn a_folder_below_a_place_is_what_its_name_says() {
        for place in ["s3://b", "s3://b/p", "abfss://c@a.dfs.core.windows.net/p", "/no/such"] {
            let below = Place::parse(place).unwrap().below("rosas.csv").unwrap();
            assert_eq!(below, Place::parse(&format!("{place}/rosas.csv")).unwrap());
        }
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink(root.join("real"), root.join("link")).unwrap();
        std::os::unix::fs::symlink(root.join("gone"), root.join("dangling")).unwrap();
        let place = Place::parse(root.to_str().unwrap()).unwrap();
        assert_eq!(place.below("link").unwrap(), place.below("real").unwrap());
        assert!(place.below("dangling").unwrap_err().to_string().contains("a link to nothing"));
    }

    #[test]
    fn links_are_followed_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink(root.join("real"), root.join("link")).unwrap();
        std::os::unix::fs::symlink(root.join("gone"), root.join("dangling")).unwrap();
        std::fs::write(root.join("file"), "").unwrap();
        let parsed = |name: &str| Place::parse(root.join(name).to_str().unwrap());
        let real = root.join("real").display().to_string();
        for name in ["link", "link/", "real/../link", "./link", "no/such/../../link"] {
            assert_eq!(parsed(name).unwrap().to_string(), real, "{name}");
        }
        assert_eq!(parsed("link/new/lake").unwrap().to_string(), format!("{real}/new/lake"));
        let url = format!("file://{}/link/x", root.display());
        assert_eq!(Place::parse(&url).unwrap().to_string(), format!("{real}/x"));
        assert!(parsed("dangling").unwrap_err().to_string().contains("a link to nothing"));
        assert!(parsed("dangling/x").unwrap_err().to_string().contains("a link to nothing"));
        assert!(parsed("file/x").unwrap_err().to_string().contains("is a file"));
        std::fs::create_dir(root.join("a\\b")).unwrap();
        std::os::unix::fs::symlink(root.join("a\\b"), root.join("plain")).unwrap();
        assert!(parsed("plain/lake").unwrap_err().to_string().contains("a backslash"));
    }
}
