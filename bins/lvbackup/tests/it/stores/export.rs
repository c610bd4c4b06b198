use imago::file::File;
use imago::qcow2::Qcow2;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder};

use super::{Filled, alter};

#[test]
fn as_an_image_and_for_virtual_machines() {
    let filled = Filled::days(4);
    let _ = filled.run("export store --to raw -o last.img", 0, &["`last.img` is whole", "from 4 layers"]);
    assert!(filled.folder.read("last.img") == filled.folder.read("3.img"));

    let _ = filled.run("export store --at 2026-10-03 --to qcow2 -o then.qcow2", 0, &["layer day-2 from 3 layers"]);
    let expected = filled.folder.read("2.img");
    let path = filled.folder.path("then.qcow2");
    assert!(std::fs::metadata(&path).unwrap().len() < expected.len() as u64 + 10 * 65536);
    let image = File::try_from(std::fs::File::open(&path).unwrap()).unwrap();
    let image = Qcow2::<File>::builder(image).open(DenyImplicitOpenGate::default()).unwrap();
    let image = FormatAccess::new(image);
    let mut found = vec![0; usize::try_from(image.size()).unwrap()];
    image.read(&mut found[..], 0).unwrap();
    assert!(found == expected);
}

#[test]
fn what_is_refused_leaves_no_file() {
    let filled = Filled::days(2);
    filled.folder.write("there", b"precious");
    for format in ["raw", "qcow2"] {
        let _ = filled.run(&format!("export store --to {format} -o there"), 1, &["`there` exists already"]);
        let _ = filled.run(&format!("export store --to {format} --layer none -o new"), 3, &["no layer `none`"]);
    }
    alter(&filled.file("layers", "day-0"));
    for format in ["raw", "qcow2"] {
        let _ = filled.run(&format!("export store --to {format} -o new"), 3, &["layers/vg0=2Fdata/day-0.", "BLAKE3"]);
    }
    assert_eq!(filled.folder.read("there"), b"precious");
    assert!(!filled.folder.names().iter().any(|name| name.contains("new")), "{:?}", filled.folder.names());
    let _ = filled.run("export store --to vmdk -o new", 2, &["qcow2"]);
    for line in ["export store --to raw -o -", "export store --to qcow2 -o -", "restore store --to-file -"] {
        let _ = filled.run(line, 2, &["standard output", "`./-`"]);
    }
    assert!(!filled.folder.names().iter().any(|name| name == "-"), "{:?}", filled.folder.names());
}
