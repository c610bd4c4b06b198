//! Posting a message to an address.

use std::time::Duration;

use reqwest::{Client, header::CONTENT_TYPE, redirect::Policy};

/// Posts `json`, and waits for an answer that says that it was taken (2xx). Nobody is followed to another address.
///
/// # Errors
/// Why it was not taken, without the address: that may be a secret.
pub(super) fn post(address: &str, json: String, timeout: Duration) -> Result<(), String> {
    let text = |error: reqwest::Error| lvm_cmd::with_causes(&error.without_url());
    // As the store does it; who was first stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        let client = Client::builder().timeout(timeout).redirect(Policy::none()).build().map_err(text)?;
        let request = client.post(address).header(CONTENT_TYPE, "application/json").body(json);
        let status = request.send().await.map_err(text)?.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answered {status}")) }
    })
}
