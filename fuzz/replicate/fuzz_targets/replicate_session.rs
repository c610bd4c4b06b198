#![cfg_attr(fuzzing, no_main)]
#[macro_use]
#[path = "../../fuzz_targets/shim.rs"]
mod shim;
target!(replicate::fuzzing::check);
