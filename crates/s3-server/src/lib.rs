//! An S3 server over a folder, on loopback, for tests: of `store` in the same process, of whole backups as a program.
//!
//! Each folder directly under its root is a bucket. It wants to be asked by [`ACCESS_KEY`] with [`SECRET_KEY`].
//!
//! ```no_run
//! let server = s3_server::Server::start("/tmp/s3".as_ref(), 0)?;
//! println!("AWS_ENDPOINT=http://{}", server.address());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! **Invariant.** Knows nothing of Hyperlayer. **Limits.** It checks a condition and writes in two steps, so two requests
//! at the same instant may both create an object, which a real service does not allow.

#![forbid(unsafe_code)]

mod faults;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub use faults::{Fault, Requests};

use faults::Faults;

/// Who may ask.
pub const ACCESS_KEY: &str = "TESTACCESSKEY";
/// How it proves that.
pub const SECRET_KEY: &str = "testsecretkey";

/// A server that runs until it is dropped, on threads of its own. Dropping it cuts all connections.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    faults: Faults,
    runtime: Option<Runtime>,
}

impl Server {
    /// Starts on `port` of loopback; 0: any that is free.
    ///
    /// # Errors
    /// The folder is not there, or the port is taken.
    pub fn start(root: &Path, port: u16) -> io::Result<Self> {
        let files = FileSystem::new(root).map_err(|error| io::Error::other(format!("{error:?}")))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, port)))?;
        let address = listener.local_addr()?;
        let faults = Faults::default();
        runtime.spawn(serve(listener, service, faults.clone(), root.to_owned()));
        Ok(Self { address, faults, runtime: Some(runtime) })
    }

    /// Switches a fault on for the next `times` of these requests; an older fault for the same ones comes first.
    pub fn switch_on(&self, requests: Requests, fault: Fault, times: u32) {
        self.faults.switch_on(requests, fault, times);
    }

    /// Switches all faults off.
    pub fn switch_off(&self) {
        self.faults.switch_off();
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client's environment must say to reach it.
    #[must_use]
    pub fn environment(address: SocketAddr) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_ENDPOINT", format!("http://{address}")),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value)).into()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

async fn serve(listener: TcpListener, service: S3Service, faults: Faults, root: PathBuf) {
    while let Ok((socket, _)) = listener.accept().await {
        let (service, faults, root) = (service.clone(), faults.clone(), root.clone());
        let service = service_fn(move |request| faults::answer(service.clone(), faults.clone(), root.clone(), request));
        tokio::spawn(async move {
            // A client that went away is the client's matter.
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
