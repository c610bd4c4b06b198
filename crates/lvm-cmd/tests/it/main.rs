//! Tests of the crate's interface. What needs no LVM replays transcripts; those in `tests/transcripts` were recorded on
//! a real one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod activation;
mod host;
mod metadata_snapshot;
mod names;
mod pool;
mod real;
mod report;
mod self_test;
mod transcript;
mod volume;

/// An error and its causes, joined as a program shows them.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// One row of `lvs`, with `changes` in place of the values of a thin volume `vg0/data` in `vg0/pool`.
fn row(changes: &[(&str, &str)]) -> String {
    let values = [
        ("lv_name", "data"),
        ("vg_name", "vg0"),
        ("lv_uuid", "jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K"),
        ("lv_attr", "Vwi-a-tz--"),
        ("lv_size", "16777216"),
        ("pool_lv", "pool"),
        ("origin", ""),
        ("thin_id", "3"),
        ("transaction_id", "2"),
        ("chunk_size", "0"),
        ("data_percent", "5.08"),
        ("metadata_percent", ""),
        ("lv_tags", ""),
        ("lv_time", "1763696000"),
        ("metadata_lv", ""),
        ("discards", ""),
    ];
    let value = |name| changes.iter().find(|(changed, _)| *changed == name).map(|(_, value)| *value);
    let fields: Vec<_> = values.iter().map(|(n, v)| format!(r#""{n}":"{}""#, value(*n).unwrap_or(v))).collect();
    format!("{{{}}}", fields.join(","))
}

/// The step of a transcript in which `lvs` lists the group `vg0`.
fn lvs(rows: &[String]) -> String {
    format!("$ {LVS} vg0\n| {{\"report\":[{{\"lv\":[{}]}}]}}\n= 0\n", rows.join(","))
}

const LVS: &str = "lvs --reportformat json --units b --nosuffix --config \
                   'report{time_format=\"%s\" list_item_separator=\",\"}' -o \
                   lv_name,vg_name,lv_uuid,lv_attr,lv_size,pool_lv,origin,thin_id,transaction_id,chunk_size,\
                   data_percent,metadata_percent,lv_tags,lv_time,metadata_lv,discards";

/// The row of the pool `vg0/pool`.
fn pool_row() -> String {
    row(&[
        ("lv_name", "pool"),
        ("lv_attr", "twi-aotz--"),
        ("lv_uuid", POOL_UUID),
        ("pool_lv", ""),
        ("thin_id", ""),
        ("transaction_id", "3"),
        ("chunk_size", "65536"),
        ("metadata_lv", "[pool_tmeta]"),
        ("discards", "passdown"),
    ])
}

const POOL_UUID: &str = "W3Xq3c-8bJr-aA1r-iX0T-2c8m-kYyR-x0v5Qe";

/// The volumes of a report of these rows.
fn parsed(rows: &[String]) -> Vec<lvm_cmd::Lv> {
    let exec = lvm_cmd::Scripted::from_transcript(&lvs(rows)).unwrap();
    lvm_cmd::volumes(&exec, &"vg0".parse().unwrap()).unwrap()
}
