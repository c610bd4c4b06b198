//! `lvsnap` as a user runs it, where neither root nor LVM is needed.

#[test]
fn contract_standard_output() {
    testkit::check_standard_output("lvsnap");
}
