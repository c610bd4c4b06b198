//! Why a service did not do what it was asked for, in one sentence, and which setting may change that.

use std::error::Error as _;

use object_store::client::{HttpError, HttpErrorKind, HttpRequest};
use reqwest::Method;

use crate::error::ErrorKind;
use crate::service::asks_for_credentials;

/// What a request was for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    Credentials,
    Read,
    List,
    Write,
    Create,
    Part,
    Complete,
    Remove,
}

impl Asked {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        let condition = ["if-none-match", "x-goog-if-generation-match"];
        match *request.method() {
            _ if asks_for_credentials(request) => Self::Credentials,
            Method::GET if has("list-type") || has("comp") => Self::List,
            Method::GET | Method::HEAD => Self::Read,
            Method::DELETE => Self::Remove,
            Method::POST if has("uploadId") => Self::Complete,
            _ if has("uploads") || has("partNumber") => Self::Part,
            _ if condition.iter().any(|name| request.headers().contains_key(*name)) => Self::Create,
            _ => Self::Write,
        }
    }

    fn capability(self) -> &'static str {
        match self {
            Self::Credentials => "this way to get credentials",
            Self::Read => "reading objects",
            Self::List => "listing objects (ListObjectsV2)",
            Self::Write => "writing objects",
            Self::Create => "writes on the condition that no object is there (`If-None-Match: *`)",
            Self::Part | Self::Complete => "uploads in parts",
            Self::Remove => "removing objects",
        }
    }
}

/// Why a service did not do what it was asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// Nothing was sent.
    #[error("no connection to {host}: {why}")]
    NoConnection { host: String, why: String },
    /// It may have been done.
    #[error("no answer from {host}")]
    Silent { host: String },
    /// It may have been done.
    #[error("broken connection to {host}: {why}")]
    Broken { host: String, why: String },
    /// Something else than an object store answers.
    #[error("{host} answers with a web page")]
    Page { host: String },
    /// Nothing says who asks.
    #[error("no credentials from {host}: {why}")]
    NoCredentials { host: String, why: String },
    /// It answers that it did not do it.
    #[error("{status} {code}: {message}")]
    Answer { asked: Asked, status: u16, code: String, message: String, region: Option<String> },
}

/// What an answer means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    NoBucket,
    WrongKey,
    Denied,
    WrongClock,
    OtherRegion,
    HostStyle,
    Unsupported,
    Full,
    /// Another request for the same object is on its way.
    Conflict,
    Busy,
    Failed,
    Refused,
}

impl Trouble {
    pub(crate) fn of_transport(error: &HttpError, host: String) -> Self {
        let why = match innermost(error) {
            // The words of the TLS library for an answer without TLS.
            text if text.contains("InvalidContentType") => {
                "its answer is not TLS; the address of a service without TLS begins with `http://`".into()
            }
            text => text,
        };
        match error.kind() {
            HttpErrorKind::Timeout => Self::Silent { host },
            HttpErrorKind::Connect => Self::NoConnection { host, why },
            _ => Self::Broken { host, why },
        }
    }

    pub(crate) fn answer(asked: Asked, status: u16, body: &str, region: Option<&str>) -> Self {
        let region = region.map(str::to_owned).or_else(|| element(body, "Region"));
        let (code, message) = (element(body, "Code"), element(body, "Message"));
        Self::Answer { asked, status, code: code.unwrap_or_default(), message: message.unwrap_or_default(), region }
    }

    /// One sentence without a full stop.
    pub(crate) fn sentence(&self) -> String {
        let (asked, status, code, message) = match self {
            Self::NoConnection { host, why } => return format!("cannot connect to {host}: {why}"),
            Self::Silent { host } => return format!("{host} does not answer"),
            Self::Broken { host, why } => return format!("the connection to {host} broke: {why}"),
            Self::Page { host } => return format!("{host} is not an object store: it answers with a web page"),
            Self::NoCredentials { host, why } => {
                return format!("the environment has no credentials, and {host} gives none to this machine: {why}");
            }
            Self::Answer { asked, status, code, message, .. } => (asked, status, code, message),
        };
        let said = if code.is_empty() { status.to_string() } else { format!("{status} {code}") };
        match self.meaning() {
            Some(Meaning::NoBucket) => "there is no such bucket".into(),
            Some(Meaning::WrongKey) => format!("the service refuses the access key ({said})"),
            Some(Meaning::Denied) => format!("the service denies access ({said})"),
            Some(Meaning::WrongClock) => "this machine's clock differs too much from the service's".into(),
            Some(Meaning::OtherRegion) => format!("the bucket is in another region ({said})"),
            Some(Meaning::HostStyle) => format!("the service wants the bucket in the host name ({said})"),
            Some(Meaning::Unsupported) => format!("the service does not support {} ({said})", asked.capability()),
            Some(Meaning::Full) => format!("the service has no space left ({said})"),
            Some(Meaning::Conflict | Meaning::Busy) => format!("the service is busy ({said})"),
            Some(Meaning::Failed) => format!("the service failed ({said})"),
            Some(Meaning::Refused) | None if message.is_empty() => format!("the service refuses the request ({said})"),
            Some(Meaning::Refused) | None => format!("the service refuses the request ({said}: {message})"),
        }
    }

    /// What to check or to set, where that is known; `scheme` is that of the store's location.
    pub(crate) fn hint(&self, scheme: &str) -> Option<String> {
        let is_s3 = scheme == "s3";
        let keys = match scheme {
            "gs" => "GOOGLE_SERVICE_ACCOUNT, the path of the account's key file",
            "az" => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
            _ => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary ones",
        };
        let endpoint = match scheme {
            "gs" => "the network",
            "az" => "AZURE_STORAGE_ACCOUNT_NAME and the network",
            _ => {
                "AWS_ENDPOINT (such as `https://minio.example:9000`; without it, the service is Amazon's) and the network"
            }
        };
        Some(match (self, self.meaning()?) {
            (Self::NoConnection { .. } | Self::Silent { .. } | Self::Broken { .. }, _) => format!("check {endpoint}"),
            (Self::Page { .. }, _) => format!("check {endpoint}: a console often has another port than the service"),
            (Self::NoCredentials { .. }, _) => format!("set {keys}"),
            (_, Meaning::NoBucket) => {
                "make the bucket with the service's own tools, or check its name and the endpoint".into()
            }
            (_, Meaning::WrongKey) => format!("check {keys}"),
            (_, Meaning::Denied) if is_s3 => format!(
                "check {keys}; the key needs s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject, s3:DeleteObject and \
                 s3:AbortMultipartUpload on what is in it"
            ),
            (_, Meaning::Denied) => format!("check {keys}, and what the account may do with the bucket"),
            (_, Meaning::WrongClock) => "set this machine's clock, such as with `timedatectl set-ntp true`".into(),
            (Self::Answer { region: Some(region), .. }, Meaning::OtherRegion) => format!("set AWS_REGION={region}"),
            (_, Meaning::OtherRegion) => "set AWS_REGION to the bucket's region".into(),
            (_, Meaning::HostStyle) => {
                "set AWS_VIRTUAL_HOSTED_STYLE_REQUEST=true, and AWS_ENDPOINT with the bucket in its host name".into()
            }
            (Self::Answer { asked: Asked::Create, .. }, Meaning::Unsupported) => {
                "use a service, or a version of it, that has conditional writes; no setting replaces them".into()
            }
            _ => return None,
        })
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        match self.meaning() {
            Some(Meaning::NoBucket) => ErrorKind::NotFound,
            Some(Meaning::Full) => ErrorKind::Full,
            _ => ErrorKind::Unreachable,
        }
    }

    /// Whether the service may have done what it was asked for.
    pub(crate) fn may_be_done(&self) -> bool {
        match self {
            Self::Silent { .. } | Self::Broken { .. } => true,
            Self::NoConnection { .. } | Self::Page { .. } | Self::NoCredentials { .. } => false,
            Self::Answer { status, .. } => *status >= 500 || self.may_pass(),
        }
    }

    /// Whether the same request may succeed later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Answer { .. })
            && matches!(self.meaning(), Some(Meaning::Conflict | Meaning::Busy | Meaning::Failed))
    }

    /// Whether an answer names an error at all.
    pub(crate) fn is_error(&self) -> bool {
        matches!(self, Self::Answer { code, .. } if !code.is_empty())
    }

    pub(crate) fn is_no_bucket(&self) -> bool {
        self.meaning() == Some(Meaning::NoBucket)
    }

    /// `None`: an answer that names no error.
    fn meaning(&self) -> Option<Meaning> {
        let Self::Answer { status, code, message, .. } = self else { return Some(Meaning::Refused) };
        Some(match code.as_str() {
            "NoSuchBucket" | "ContainerNotFound" | "ContainerBeingDeleted" => Meaning::NoBucket,
            "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => Meaning::WrongClock,
            "AuthenticationFailed" if message.contains("date header") => Meaning::WrongClock,
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "InvalidSecurity"
            | "AuthenticationFailed"
            | "InvalidAuthenticationInfo" => Meaning::WrongKey,
            "AuthorizationHeaderMalformed"
            | "PermanentRedirect"
            | "TemporaryRedirect"
            | "IncorrectEndpoint"
            | "IllegalLocationConstraintException" => Meaning::OtherRegion,
            "SecondLevelDomainForbidden" | "VirtualHostDomainRequired" => Meaning::HostStyle,
            "NotImplemented" | "MethodNotAllowed" | "FeatureNotSupported" => Meaning::Unsupported,
            "QuotaExceeded" | "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded" | "InsufficientStorage" => {
                Meaning::Full
            }
            "ConditionalRequestConflict" | "OperationAborted" => Meaning::Conflict,
            "SlowDown"
            | "SlowDownRead"
            | "SlowDownWrite"
            | "ServiceUnavailable"
            | "ServerBusy"
            | "RequestTimeout"
            | "RequestLimitExceeded" => Meaning::Busy,
            "InternalError" | "OperationTimedOut" => Meaning::Failed,
            _ => match status {
                200..=299 if code.is_empty() => return None,
                301 | 302 | 307 | 308 => Meaning::OtherRegion,
                401 => Meaning::WrongKey,
                403 => Meaning::Denied,
                405 | 501 => Meaning::Unsupported,
                507 => Meaning::Full,
                408 | 429 | 503 => Meaning::Busy,
                500.. => Meaning::Failed,
                _ => Meaning::Refused,
            },
        })
    }
}

/// The text of the first element of that name.
fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    Some(text.trim().to_owned())
}

/// What lies below all other errors: a sentence of the system or of TLS.
pub(crate) fn innermost(error: &HttpError) -> String {
    let mut next = error.source();
    let mut text = error.to_string();
    while let Some(error) = next {
        text = error.to_string();
        next = error.source();
    }
    text
}
