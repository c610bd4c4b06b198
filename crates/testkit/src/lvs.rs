//! What LVM says, for scripts.

/// The command that lists the volumes of the group `vg0`.
pub const LVS: &str = "lvs --reportformat json --units b --nosuffix -o \
                       lv_name,vg_name,lv_uuid,lv_attr,lv_size,pool_lv,origin,thin_id,transaction_id,chunk_size,\
                       data_percent,metadata_percent,lv_tags,lv_time,metadata_lv,discards,segtype,\
                       vg_extent_size vg0";

/// The step that looks at the lists of lvm.conf which may be why LVM makes or activates no volume; none of them is set.
pub const LISTS_STEP: &str =
    "$ lvmconfig --typeconfig full --mergedconfig activation/volume_list activation/read_only_volume_list\n= 0\n";

/// One row of `lvs`, with `changes` in place of the values of a thin volume `vg0/data` in `vg0/pool`.
#[must_use]
pub fn lv_row(changes: &[(&str, &str)]) -> String {
    let value = |name| changes.iter().find(|(changed, _)| *changed == name).map(|(_, value)| *value);
    let segment_type = match value("lv_attr").map(|attr| &attr[..1]) {
        None | Some("V") => "thin",
        Some("t") => "thin-pool",
        Some(_) => "linear",
    };
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
        ("segtype", segment_type),
        ("vg_extent_size", "4194304"),
    ];
    let fields: Vec<_> = values.iter().map(|(n, v)| format!(r#""{n}":"{}""#, value(*n).unwrap_or(v))).collect();
    format!("{{{}}}", fields.join(","))
}

/// The row of the pool `vg0/pool`.
#[must_use]
pub fn pool_row() -> String {
    pool_row_with(&[])
}

/// The same, with `changes` in place of its values.
#[must_use]
pub fn pool_row_with(changes: &[(&str, &str)]) -> String {
    let pool = [
        ("lv_name", "pool"),
        ("lv_attr", "twi-aotz--"),
        ("lv_uuid", POOL_UUID),
        ("pool_lv", ""),
        ("thin_id", ""),
        ("transaction_id", "3"),
        ("chunk_size", "65536"),
        ("metadata_lv", "[pool_tmeta]"),
        ("discards", "passdown"),
        ("segtype", "thin-pool"),
    ];
    lv_row(&[changes, &pool].concat())
}

/// The id of the pool of [`pool_row`].
pub const POOL_UUID: &str = "W3Xq3c-8bJr-aA1r-iX0T-2c8m-kYyR-x0v5Qe";

/// The step of a script in which `lvs` lists the group `vg0`.
#[must_use]
pub fn lvs_step(rows: &[String]) -> String {
    format!("$ {LVS}\n| {{\"report\":[{{\"lv\":[{}]}}]}}\n= 0\n", rows.join(","))
}
