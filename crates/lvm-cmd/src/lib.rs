//! LVM2, device-mapper and the thin provisioning tools behind one typed, testable executor.
