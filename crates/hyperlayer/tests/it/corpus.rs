//! Every saved input of the fuzz targets, through the relation that its target asserts.

use std::fs;
use std::path::Path;

use hyperlayer::fuzzing;

/// How many files the folder of this target has; each must keep the relation.
fn replay(target: &str, relation: fn(&[u8])) -> usize {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let mut files = 0;
    for folder in ["seeds", "regressions"] {
        let Ok(entries) = fs::read_dir(fuzz.join(folder).join(target)) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            relation(&fs::read(path).unwrap());
            files += 1;
        }
    }
    files
}

#[test]
fn replayed() {
    assert!(replay("hyperlayer_decode", fuzzing::decode) >= 10);
    assert!(replay("hyperlayer_chunks", fuzzing::chunks) >= 1);
    assert!(replay("hyperlayer_roundtrip", fuzzing::roundtrip) >= 1);
    assert!(replay("hyperlayer_foreign", fuzzing::foreign) >= 6);
}
