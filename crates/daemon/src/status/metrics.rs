//! Metrics as Prometheus reads them.

use std::fmt;

use jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};

use super::{Fill, JobStatus, PoolLevel, Status};
use crate::Report;

impl Status {
    /// As text, in the order of the jobs and pools. It is valid in the Prometheus text format, as `node_exporter`'s textfile
    /// collector reads it, and in `OpenMetrics`: there are gauges only, whose names are the same in both.
    ///
    /// # Errors
    /// Never, as long as a `String` takes what is written to it.
    pub fn metrics(&self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("lvbackup");
        registry.register_collector(Box::new(Gauges(self.clone())));
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// Written from a status each time, rather than kept beside it: nothing of a job that is gone is left, and the order is
/// always the same.
#[derive(Debug)]
struct Gauges(Status);

type Sample<'a> = (Vec<(&'static str, String)>, f64);

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let status = &self.0;
        let jobs = |value: fn(&JobStatus) -> Option<f64>| -> Vec<Sample<'_>> {
            // Not `job`: that is Prometheus's own label for what it asks.
            let sample = |job: &JobStatus| Some((vec![("job_name", job.name.to_string())], value(job)?));
            status.jobs.iter().filter_map(sample).collect()
        };
        let reports = |value: fn(&Report) -> f64| -> Vec<Sample<'_>> {
            let sample =
                |job: &JobStatus| Some((vec![("job_name", job.name.to_string())], value(job.report.as_ref()?)));
            status.jobs.iter().filter_map(sample).collect()
        };
        let fills = |value: fn(&Fill) -> f64| -> Vec<Sample<'_>> {
            let labels = |pool: &super::PoolReport, what: &str| {
                vec![("pool", pool.pool.to_string()), ("space", what.to_owned())]
            };
            let both = |pool: &super::PoolReport| {
                [(labels(pool, "data"), value(&pool.data)), (labels(pool, "metadata"), value(&pool.metadata))]
            };
            status.pools.iter().flat_map(both).collect()
        };
        let refused = |level: PoolLevel| -> Vec<Sample<'_>> {
            let pools = status.pools.iter();
            pools.map(|pool| (vec![("pool", pool.pool.to_string())], flag(pool.level == level))).collect()
        };
        let mut write = |name, help, samples: Vec<Sample<'_>>| gauge(&mut encoder, name, help, &samples);

        write("status_timestamp_seconds", "When the daemon wrote this", vec![(Vec::new(), seconds(status.at))])?;
        write(
            "last_success_timestamp_seconds",
            "When the state was taken that the destination holds",
            jobs(|job| job.last_good.map(seconds)),
        )?;
        write("max_age_seconds", "How old the destination may be", jobs(|job| job.max_age_seconds.map(float)))?;
        write(
            "failures_in_row",
            "Failures since the last success",
            jobs(|job| Some(job.failing.as_ref().map_or(0.0, |failing| f64::from(failing.in_row.get())))),
        )?;
        write("running", "Whether a run goes on", jobs(|job| Some(flag(job.running.is_some()))))?;
        write(
            "durable_bytes",
            "How much of the run that goes on is durable",
            jobs(|job| job.running.as_ref().map(|running| float(running.durable_bytes))),
        )?;
        write(
            "first_seen_timestamp_seconds",
            "When the job was planned first",
            jobs(|job| Some(seconds(job.first_seen))),
        )?;
        write("due_timestamp_seconds", "When the next run is to start", jobs(|job| job.due.map(seconds)))?;
        write(
            "last_run_seconds",
            "How long the last success took",
            reports(|report| float(report.milliseconds) / 1000.0),
        )?;
        write("last_run_data_bytes", "Data that the last success sent", reports(|report| float(report.data_bytes)))?;
        write(
            "last_run_wire_bytes",
            "What the last success sent and received over the wire",
            reports(|report| float(report.wire_bytes)),
        )?;
        write("pool_used_ratio", "How full a pool is, 0 to 1", fills(ratio))?;
        write("pool_warned", "Whether something about a pool is told", refused(PoolLevel::Warned))?;
        write("pool_refused", "Whether nothing begins in a pool", refused(PoolLevel::Refused))
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, samples: &[Sample<'_>]) -> fmt::Result {
    // A name without samples is not worth its lines.
    if samples.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in samples {
        let value = ConstGauge::new(*value);
        if labels.is_empty() {
            return value.encode(metric);
        }
        value.encode(metric.encode_family(labels)?)?;
    }
    Ok(())
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn ratio(fill: &Fill) -> f64 {
    if fill.total == 0 { 1.0 } else { float(fill.used) / float(fill.total) }
}

/// Metrics are of this type, which is exact up to 2^53.
#[allow(clippy::cast_precision_loss, reason = "a metric has no other type")]
fn float(number: u64) -> f64 {
    number as f64
}
