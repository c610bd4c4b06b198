//! Faults to switch on: what real services and proxies do, and a folder would not.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Incoming;
use hyper::header::CONTENT_LENGTH;
use hyper::{Method, Response, Uri};
use s3s::service::S3Service;
use s3s::{Body, HttpError, HttpRequest, HttpResponse};

/// Which requests a fault applies to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Requests {
    /// All.
    Any,
    /// Reads of objects, and of their lengths.
    Read,
    /// Listings.
    List,
    /// Writes with `If-None-Match`.
    Create,
    /// Removals of single objects.
    Delete,
    /// Removals of many objects at once, `POST ?delete`.
    BulkDelete,
    /// The last requests of multipart uploads.
    Complete,
}

/// What the server does instead of what it is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Does nothing, and answers with this status and S3 error code.
    Refuse(u16, &'static str),
    /// Does what it is asked for, then answers with this status and S3 error code.
    DoneButFailed(u16, &'static str),
    /// Does what it is asked for, whatever `If-None-Match` says.
    IgnoreCondition,
    /// Takes the request and never answers.
    Hang,
    /// Answers with a web page, as a login page or a console does.
    Page,
    /// Lists these keys too, as empty objects.
    AlsoList(Vec<String>),
}

/// The faults that are switched on.
#[derive(Clone, Default, Debug)]
pub(crate) struct Faults(Arc<Mutex<Vec<Switched>>>);

#[derive(Debug)]
struct Switched {
    requests: Requests,
    fault: Fault,
    times: u32,
}

impl Faults {
    pub(crate) fn switch_on(&self, requests: Requests, fault: Fault, times: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Switched { requests, fault, times });
    }

    pub(crate) fn switch_off(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The fault for a request, which is then one time less to come.
    fn take(&self, kind: Option<Requests>) -> Option<Fault> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let matches = |on: &&mut Switched| on.times > 0 && (on.requests == Requests::Any || Some(on.requests) == kind);
        let on = all.iter_mut().find(matches)?;
        on.times = on.times.saturating_sub(1);
        Some(on.fault.clone())
    }
}

/// Answers one request, with the fault that is switched on for it.
pub(crate) async fn answer(
    service: S3Service,
    faults: Faults,
    root: PathBuf,
    request: hyper::Request<Incoming>,
) -> Result<HttpResponse, HttpError> {
    let request: HttpRequest = request.map(Body::from);
    let fault = faults.take(kind(&request));
    match fault {
        None => service.call(request).await,
        Some(Fault::Refuse(status, code)) => failed(status, code),
        Some(Fault::DoneButFailed(status, code)) => {
            service.call(request).await?;
            failed(status, code)
        }
        Some(Fault::IgnoreCondition) => {
            // The header is signed, so it stays; what it would find does not.
            let _ = std::fs::remove_file(root.join(request.uri().path().trim_start_matches('/').replace("%3D", "=")));
            service.call(request).await
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Page) => {
            let page = Body::from("<!DOCTYPE html><html><body>Log in</body></html>".to_owned());
            Response::builder().header("content-type", "text/html; charset=utf-8").body(page).map_err(of)
        }
        Some(Fault::AlsoList(keys)) => also_list(service.call(request).await?, &keys).await,
    }
}

fn kind(request: &HttpRequest) -> Option<Requests> {
    let has = |name: &str| query(request.uri(), name);
    match *request.method() {
        Method::GET if has("list-type") => Some(Requests::List),
        Method::GET | Method::HEAD => Some(Requests::Read),
        Method::PUT if request.headers().contains_key("if-none-match") => Some(Requests::Create),
        Method::POST if has("delete") => Some(Requests::BulkDelete),
        Method::POST if has("uploadId") => Some(Requests::Complete),
        Method::DELETE if !has("uploadId") => Some(Requests::Delete),
        _ => None,
    }
}

fn query(uri: &Uri, name: &str) -> bool {
    uri.query().into_iter().flat_map(|query| query.split('&')).any(|pair| pair.split('=').next() == Some(name))
}

fn failed(status: u16, code: &str) -> Result<HttpResponse, HttpError> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>as it was told</Message></Error>"
    );
    Response::builder().status(status).header("content-type", "application/xml").body(Body::from(text)).map_err(of)
}

async fn also_list(mut response: HttpResponse, keys: &[String]) -> Result<HttpResponse, HttpError> {
    let text = response.body_mut().store_all_limited(1 << 24).await.map_err(HttpError::new)?;
    let more: String = keys
        .iter()
        .map(|key| {
            format!("<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>0</Size></Contents>")
        })
        .collect();
    let text = String::from_utf8_lossy(&text).replace("</ListBucketResult>", &format!("{more}</ListBucketResult>"));
    response.headers_mut().remove(CONTENT_LENGTH);
    *response.body_mut() = Body::from(text);
    Ok(response)
}

fn of(error: hyper::http::Error) -> HttpError {
    HttpError::new(Box::new(error))
}
