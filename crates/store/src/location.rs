//! Where a store is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;

use crate::error::Error;
use crate::names::MARKER;

/// The place of a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location(Place);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Folder(PathBuf),
    Bucket { service: Service, bucket: String, prefix: String },
    Given { name: String, objects: Given },
}

/// Objects that the caller brings; two are the same when they are one.
#[derive(Clone, Debug)]
pub(crate) struct Given(pub(crate) Arc<dyn ObjectStore>);

impl PartialEq for Given {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Given {}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Service {
    S3,
    Google,
    Azure,
}

impl Location {
    /// A path, `file:///path`, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`; the prefix may be
    /// absent.
    ///
    /// # Errors
    /// [`Error::Location`]: an unknown scheme, no bucket, or a prefix that is no plain path.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |why: &str| Error::Location { text: without_secrets(text), why: why.into() };
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(refuse("it is empty or not printable"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            let schemes = ["file:", "s3:", "gs:", "az:"];
            if let Some(scheme) = schemes.iter().find(|scheme| text.starts_with(*scheme)) {
                return Err(refuse(&format!(
                    "`{scheme}` is followed by two slashes; a directory of that name is `./{text}`"
                )));
            }
            // `HOST:PATH` and `sftp:HOST:PATH` are how other tools name a place on another machine.
            let first = text.split('/').next().unwrap_or_default();
            if first.contains(':') {
                return Err(refuse(
                    "a store is a directory of this machine, s3://, gs:// or az://; a directory with a colon in its name \
                     is given as `./NAME`",
                ));
            }
            return Ok(Self::folder(text));
        };
        let service = match scheme {
            "file" if rest.starts_with('/') => return Ok(Self::folder(rest)),
            "file" => return Err(refuse("the path after `file://` must begin with `/`")),
            "s3" => Service::S3,
            "gs" => Service::Google,
            "az" => Service::Azure,
            _ => return Err(refuse("expected a path, file://, s3://, gs:// or az://")),
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if bucket.is_empty() || !bucket.chars().all(allowed) {
            return Err(refuse("it names no bucket; accounts and endpoints come from the environment"));
        }
        let prefix = prefix.trim_end_matches('/');
        let plain =
            |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(|c| allowed(c) || "=+@,".contains(c));
        if !prefix.is_empty() && !prefix.split('/').all(plain) {
            return Err(refuse("the prefix may hold letters, digits and `._-=+@,` between single slashes"));
        }
        Ok(Self(Place::Bucket { service, bucket: bucket.into(), prefix: prefix.into() }))
    }

    /// A folder.
    #[must_use]
    pub fn folder(path: impl AsRef<Path>) -> Self {
        Self(Place::Folder(path.as_ref().to_owned()))
    }

    /// Any objects, such as those of a service that this crate does not know; `name` is what errors call them.
    #[must_use]
    pub fn over(name: impl Into<String>, objects: Arc<dyn ObjectStore>) -> Self {
        Self(Place::Given { name: name.into(), objects: Given(objects) })
    }

    /// The store above a folder, if there is one.
    pub(crate) fn outer_store(&self) -> Option<PathBuf> {
        let Place::Folder(path) = &self.0 else { return None };
        // It need not be there yet, but may be a link.
        let path = path.canonicalize().or_else(|_| std::path::absolute(path)).ok()?;
        path.ancestors().skip(1).find(|above| above.join(MARKER).is_file()).map(Path::to_owned)
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0
    }
}

/// A text for a message: without what may be a password before an `@`, or a token after a `?`.
fn without_secrets(text: &str) -> String {
    let (place, query) = text.split_once('?').map_or((text, ""), |(place, _)| (place, "?..."));
    let place = match place.split_once("//").map(|(scheme, rest)| (scheme, rest.rsplit_once('@'))) {
        Some((scheme, Some((_, rest)))) => format!("{scheme}//...@{rest}"),
        _ => place.to_owned(),
    };
    format!("{}{query}", place.escape_debug())
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Folder(path) => write!(f, "{}", path.display()),
            Place::Given { name, .. } => f.write_str(name),
            Place::Bucket { service, bucket, prefix } => {
                let scheme = match service {
                    Service::S3 => "s3",
                    Service::Google => "gs",
                    Service::Azure => "az",
                };
                let slash = if prefix.is_empty() { "" } else { "/" };
                write!(f, "{scheme}://{bucket}{slash}{prefix}")
            }
        }
    }
}
