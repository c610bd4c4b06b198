//! The way to a service: an answer that is a failure becomes one with a cause, is asked for again where the service says
//! so, and waiting is reported.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use reqwest::{Method, StatusCode, header};

use crate::limits::{
    LOWEST_BYTES_PER_SECOND, MAX_ANSWER_BYTES, METADATA_TIMEOUT, REPORT_FAILING, REPORT_METADATA, REPORT_SILENT,
};
use crate::trouble::{Asked, Trouble};

/// Makes clients that know what services do.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    waiting: Arc<Waiting>,
    imdsv1_fallback: bool,
}

impl Connector {
    /// With `imdsv1_fallback`, the library goes on where an address for credentials refuses to give a token.
    pub(crate) fn new(imdsv1_fallback: bool) -> Self {
        Self { waiting: Arc::default(), imdsv1_fallback }
    }
}

/// What a user is told of a wait.
#[derive(Debug, Default)]
struct Waiting {
    /// Since when every request has failed, and whether that was reported.
    failing: Mutex<Option<(Instant, bool)>>,
    /// Whether the machine's own address has given credentials before.
    has_credentials: AtomicBool,
}

#[derive(Debug)]
struct Client {
    inner: HttpClient,
    waiting: Arc<Waiting>,
    imdsv1_fallback: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        let Self { waiting, imdsv1_fallback } = self.clone();
        Ok(HttpClient::new(Client { inner, waiting, imdsv1_fallback }))
    }
}

impl HttpService for Client {
    fn call<'s, 'f>(&'s self, request: HttpRequest) -> BoxFuture<'f, Result<HttpResponse, HttpError>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let answer = self.ask(request).await;
            match &answer {
                Err(error) => self.waiting.failed(error),
                Ok(_) => self.waiting.answered(),
            }
            answer
        })
    }
}

impl Waiting {
    fn answered(&self) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn failed(&self, error: &HttpError) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, reported) = failing.get_or_insert_with(|| (Instant::now(), false));
        if !*reported && since.elapsed() >= REPORT_FAILING {
            *reported = true;
            let why = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Trouble>());
            tracing::warn!("{}; retrying", why.map_or_else(|| error.to_string(), Trouble::sentence));
        }
    }
}

impl Client {
    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = request.uri().authority().map_or_else(String::new, ToString::to_string);
        let asked = Asked::of(&request);
        if asked == Asked::Credentials {
            return self.ask_for_credentials(request, host).await;
        }
        let bytes = request.body().content_length() as u64;
        let mut answer = std::pin::pin!(self.inner.execute(request));
        let soon = REPORT_SILENT + Duration::from_secs(bytes / LOWEST_BYTES_PER_SECOND);
        let answer = match tokio::time::timeout(soon, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => {
                tracing::warn!("{host} has not answered for {} s; waiting for it", soon.as_secs());
                answer.await
            }
        };
        match answer {
            Ok(response) => judge(response, asked, host).await,
            Err(error) => Err(HttpError::new(error.kind(), Trouble::of_transport(&error, host))),
        }
    }

    /// The address that answers this is the machine's own: where it never answered, waiting gives no credentials. Where it did, a
    /// failure is passing, and is asked for again: a long upload must not end by it.
    async fn ask_for_credentials(&self, request: HttpRequest, host: String) -> Result<HttpResponse, HttpError> {
        let may_go_on = self.imdsv1_fallback && request.method() == Method::PUT;
        let mut answer = std::pin::pin!(self.inner.execute(request));
        let answer = match tokio::time::timeout(REPORT_METADATA, &mut answer).await {
            Ok(answer) => Ok(answer),
            Err(_) => {
                tracing::warn!("waiting for {host} to give the credentials of this machine: the environment has none");
                tokio::time::timeout(METADATA_TIMEOUT, answer).await
            }
        };
        let kind = match self.waiting.has_credentials.load(Ordering::Relaxed) {
            true => HttpErrorKind::Request,
            false => HttpErrorKind::Unknown,
        };
        let none = |why: String| HttpError::new(kind, Trouble::NoCredentials { host, why });
        match answer {
            Ok(Ok(response)) if may_go_on && response.status() == StatusCode::FORBIDDEN => Ok(response),
            Ok(Ok(response)) if response.status().is_success() => {
                self.waiting.has_credentials.store(true, Ordering::Relaxed);
                Ok(response)
            }
            Ok(Ok(response)) => Err(none(format!("it answers {}", response.status()))),
            Ok(Err(error)) => Err(none(crate::trouble::innermost(&error))),
            Err(_) => Err(none("it does not answer".into())),
        }
    }
}

/// Passes on what `object_store` understands, and makes an error of the rest: one that is asked for again, where that may
/// help.
async fn judge(response: HttpResponse, asked: Asked, host: String) -> Result<HttpResponse, HttpError> {
    let status = response.status();
    let is_page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page && status != StatusCode::NOT_FOUND && !status.is_server_error() {
        return Err(HttpError::new(HttpErrorKind::Unknown, Trouble::Page { host }));
    }
    // The answer to the last request of an upload may begin well and end badly.
    if status.is_success() && asked != Asked::Complete {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let mut text = Vec::new();
    let mut stream = body.bytes_stream();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| HttpError::new(error.kind(), Trouble::of_transport(&error, host.clone())))?;
        text.extend_from_slice(&piece[..piece.len().min(MAX_ANSWER_BYTES - text.len())]);
    }
    let region = parts.headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
    let trouble = Trouble::answer(asked, status.as_u16(), &String::from_utf8_lossy(&text), region);
    let passed = [
        StatusCode::NOT_MODIFIED,
        StatusCode::NOT_FOUND,
        StatusCode::CONFLICT,
        StatusCode::PRECONDITION_FAILED,
        StatusCode::RANGE_NOT_SATISFIABLE,
    ];
    if trouble.may_pass() {
        return Err(HttpError::new(HttpErrorKind::Request, trouble));
    }
    if (status.is_success() && !trouble.is_error()) || (passed.contains(&status) && !trouble.is_no_bucket()) {
        return Ok(HttpResponse::from_parts(parts, text.into()));
    }
    Err(HttpError::new(HttpErrorKind::Unknown, trouble))
}

/// Whether a request is for credentials, which are asked for without any.
pub(crate) fn asks_for_credentials(request: &HttpRequest) -> bool {
    let paths =
        ["/latest/api/token", "/latest/meta-data/iam/", "/computeMetadata/", "/metadata/identity/", "/v2/credentials/"];
    let path = request.uri().path();
    !request.headers().contains_key(header::AUTHORIZATION)
        && matches!(*request.method(), Method::GET | Method::PUT)
        && paths.iter().any(|start| path.starts_with(start))
}
