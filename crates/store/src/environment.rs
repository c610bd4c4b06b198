//! What the environment says of a service, checked before it is used: the library panics on some of it.

use std::fmt;

use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;
use reqwest::Url;

use crate::error::Error;
use crate::location::Service;

/// The variables of one service that are set, each of which can be used. They hold secrets, so only names are shown.
#[derive(Clone)]
pub(crate) struct Environment(Vec<(String, String)>);

/// Both or none of them.
const KEY: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

impl Environment {
    /// Takes the service's variables. One that is empty is not set.
    ///
    /// # Errors
    /// [`Error::Setting`]: which one cannot be used, and why.
    pub(crate) fn new(service: Service, variables: &[(String, String)]) -> Result<Self, Error> {
        let set = variables.iter().filter(|(name, value)| !value.is_empty() && is_known(service, name));
        let all = Self(set.cloned().collect());
        for (name, value) in &all.0 {
            wrong(name, value).map_or(Ok(()), |why| Err(refused(name, why)))?;
        }
        for [missing, there] in [KEY, [KEY[1], KEY[0]]] {
            if all.get(missing).is_none() && all.get(there).is_some() {
                return Err(refused(missing, format!("it is not set, and {there} is")));
            }
        }
        match all.endpoint() {
            Some((name, url)) if url.starts_with("http://") && !all.is_true("AWS_ALLOW_HTTP") => {
                Err(refused(name, "it is without TLS (`http://`): use `https://`, or set AWS_ALLOW_HTTP=true"))
            }
            _ => Ok(all),
        }
    }

    /// Names as the library wants them, and values.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
    }

    /// Whether requests go to an endpoint without TLS.
    pub(crate) fn is_without_tls(&self) -> bool {
        self.endpoint().is_some_and(|(_, url)| url.starts_with("http://"))
    }

    fn get(&self, wanted: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// The endpoint of S3 that counts.
    fn endpoint(&self) -> Option<(&str, &str)> {
        let names = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
        names.into_iter().find_map(|name| Some((name, self.get(name)?)))
    }

    /// Whether a variable is set to one of the library's words for true.
    pub(crate) fn is_true(&self, wanted: &str) -> bool {
        let words = ["1", "true", "on", "yes", "y"];
        self.get(wanted).is_some_and(|value| words.contains(&value.to_ascii_lowercase().as_str()))
    }

    /// The error of a library that refuses these variables, with the one named without which it does not, or says
    /// something else; `build` tries.
    pub(crate) fn refused(
        &self,
        error: &object_store::Error,
        build: impl Fn(&Self) -> Result<(), object_store::Error>,
    ) -> Option<Error> {
        let text = error.to_string();
        if build(&Self(Vec::new())).is_err_and(|none| none.to_string() == text) {
            return None;
        }
        let without =
            |n: usize| Self(self.0.iter().enumerate().filter(|(m, _)| *m != n).map(|(_, pair)| pair.clone()).collect());
        let outcomes: Vec<_> =
            (0..self.0.len()).map(|n| build(&without(n)).map_err(|error| error.to_string())).collect();
        let cured = outcomes.iter().position(Result::is_ok);
        let changed = || outcomes.iter().position(|outcome| outcome.as_ref().is_err_and(|other| *other != text));
        let (name, _) = self.0.get(cured.or_else(changed)?)?;
        let is_secret = !name.starts_with("AWS_") && ["KEY", "SECRET", "TOKEN"].iter().any(|word| name.contains(word));
        Some(refused(
            name,
            match (is_secret, name.ends_with("_PROXY_URL")) {
                (true, _) => "it is not a key as the service gives it".to_owned(),
                // It may hold a password.
                (false, true) => "it is not the URL of a proxy, such as http://proxy.example:3128".to_owned(),
                (false, false) => text,
            },
        ))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

fn refused(name: &str, why: impl Into<String>) -> Error {
    Error::Setting { name: name.to_owned(), why: why.into() }
}

/// What the library does not know is meant for other programs.
fn is_known(service: Service, name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    match service {
        Service::S3 => name.starts_with("AWS_") && lower.parse::<AmazonS3ConfigKey>().is_ok(),
        Service::Google => name.starts_with("GOOGLE_") && lower.parse::<GoogleConfigKey>().is_ok(),
        Service::Azure => name.starts_with("AZURE_") && lower.parse::<AzureConfigKey>().is_ok(),
    }
}

/// Why a value cannot be used. The value itself may be secret.
fn wrong(name: &str, value: &str) -> Option<&'static str> {
    let is_document = ["SERVICE_ACCOUNT_KEY", "CA_CERTIFICATE"].iter().any(|end| name.ends_with(end));
    let is_path =
        ["_FILE", "_PATH", "_SERVICE_ACCOUNT", "_APPLICATION_CREDENTIALS"].iter().any(|end| name.ends_with(end));
    if is_document {
        return None;
    }
    if value.chars().any(char::is_control) {
        return Some("it holds a control character, such as a line break");
    }
    if is_path {
        return None;
    }
    if !value.is_ascii() {
        return Some("it holds a character that is not ASCII");
    }
    let is_word = |more: &str| value.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    let ends = ["_ENDPOINT", "_ENDPOINT_URL", "_ENDPOINT_URL_S3", "_ENDPOINT_URL_STS", "_FULL_URI", "_AUTHORITY_HOST"];
    let is_url = ends.iter().any(|end| name.ends_with(end)) && !name.contains("_USE_");
    if is_url {
        return wrong_url(value);
    }
    match name {
        "AWS_REGION" | "AWS_DEFAULT_REGION" if !is_word("-_") => {
            Some("it is not the name of a region, such as us-east-1")
        }
        "AZURE_STORAGE_ACCOUNT_NAME" if !is_word("-") => Some("it is not the name of an account"),
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" if !value.starts_with('/') || !is_word("-._~/%") => {
            Some("it is not a path such as /v2/credentials/ID")
        }
        "AWS_CONDITIONAL_PUT" if value == "disabled" => {
            Some("a store needs writes on the condition that no object is there; unset it")
        }
        _ => None,
    }
}

fn wrong_url(value: &str) -> Option<&'static str> {
    let Some((scheme @ ("http" | "https"), rest)) = value.split_once("://") else {
        return Some("it does not begin with `https://` or `http://`");
    };
    if rest.contains('@') {
        return Some("it holds a user name or a password; keys have variables of their own");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%+=,".contains(c);
    match Url::parse(value) {
        Ok(url) if url.has_host() && rest.chars().all(allowed) && !rest.starts_with('/') => {
            // A port that is left out is no mistake, an empty one is what the library does not take.
            rest.split('/').next().is_some_and(|host| host.ends_with(':')).then_some("its port is missing")
        }
        _ if scheme == "https" => Some("it is not a URL such as `https://minio.example:9000`, with a port up to 65535"),
        _ => Some("it is not a URL such as `http://minio.example:9000`, with a port up to 65535"),
    }
}
