//! What every LVM command is told, whatever the host's lvm.conf says.

/// Settings of lvm.conf(5) that change what a command prints, or whether it ends well, and nothing else: this crate relies on
/// LVM's defaults of all of them. Everything else (filters, the devices file, locking, activation) stays as the user has it.
///
/// - `log/report_command_log=1` mixes a second report into the first, and lets `lvremove --select` crash (2.03.16).
/// - `log/prefix` and `log/command_names` put text before each line, JSON included; `log/verbose` adds lines.
/// - `report/*` changes the fields that a report has, or how a value is written.
///
/// Reports ask for JSON by an option, which goes before `report/output_format`. An LVM that does not know a setting ignores it.
pub(super) const SETTINGS: &str = r#"log{prefix="" command_names=0 silent=0 verbose=0 report_command_log=0} report{compact_output=0 compact_output_cols="" columns_as_rows=0 prefixes=0 quoted=1 headings=1 buffered=1 aligned=1 binary_values_as_numeric=0 mark_hidden_devices=1 output_format="basic" list_item_separator="," time_format="%s"}"#;
