//! `[metrics]`.

use std::{net::SocketAddr, path::PathBuf};

use super::{MetricsConfig, reader::Table};

pub(super) fn read(mut table: Table<'_>) -> MetricsConfig {
    let metrics = MetricsConfig {
        file: table.read("file", |field| {
            // What the collector reads; any other name there is passed over without a word.
            let fits = |text: &str| text.starts_with('/') && text.ends_with(".prom") && !text.contains('\0');
            field.text("an absolute path that ends with `.prom`", |text| fits(text).then(|| PathBuf::from(text)))
        }),
        listen: table.read("listen", |field| {
            field.text("an address and a port such as `127.0.0.1:9749` or `[::1]:9749`", |text| {
                text.parse::<SocketAddr>().ok().filter(|address| address.port() > 0)
            })
        }),
    };
    table.done();
    metrics
}
