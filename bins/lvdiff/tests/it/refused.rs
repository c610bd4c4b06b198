use std::fs;

use crate::{Folder, SCAN};

#[test]
fn what_is_no_image() {
    let folder = Folder::new();
    fs::create_dir(folder.path("dir")).unwrap();
    folder.write("odd.img", &[1; 1000]);
    let odd = "`odd.img` has 1000 bytes, no whole number of 512-byte sectors";
    folder.lvdiff("--scan odd.img old.img").run().says(2, &[odd, "`truncate --size %512 odd.img`"]);
    folder.lvdiff("--scan new.img odd.img").run().says(2, &[odd]);
    folder.lvdiff("--full ./odd.img").run().says(2, &["no whole number"]);
    folder.lvdiff("--scan dir old.img").run().says(1, &["`dir` is a directory"]);
    folder.lvdiff("--scan new.img missing.img").run().says(1, &["`missing.img`", "No such file or directory"]);
    folder.lvdiff("--scan /dev/null old.img").run().says(1, &["a character device"]);
}

/// Who names a file without a slash means it all the same.
#[test]
fn a_file_that_is_taken_for_a_volume() {
    let folder = Folder::new();
    let full = folder.lvdiff("--full new.img").run().says(2, &["`new.img` is a file", "`--full ./new.img`"]);
    assert!(full.stderr.contains("--scan"));
    folder.lvdiff("new.img old.img").run().says(2, &["hint: `new.img` is a file: `--scan A B` compares two"]);
    folder.lvdiff("nothing old.img").run().says(2, &["its volume group is not given"]);
}

#[test]
fn a_delta_that_is_none() {
    let folder = Folder::new();
    let refused = |xml: &str| {
        folder.write("delta.xml", xml.as_bytes());
        folder.lvdiff("--delta delta.xml new.img old.img").run().says(3, &["cannot use `delta.xml`"]).stderr
    };
    refused("");
    refused("no xml");
    let cut = "<superblock uuid=\"\" time=\"1\" transaction=\"3\" data_block_size=\"128\" nr_data_blocks=\"0\">\n\
               <diff left=\"1\" right=\"2\">\n<same begin=\"0\" length=\"5\"/>\n";
    refused(cut);
    let whole = format!("{cut}</diff>\n</superblock>\n");
    let damaged = refused(&whole.replace("time=", "flags=\"1\" time="));
    assert!(damaged.contains("must be repaired"), "{damaged}");
    // Well-formed, and of other images.
    assert!(refused(&whole).contains("which has"));
    let document = |runs: &str| {
        format!(
            "<superblock uuid=\"\" time=\"1\" transaction=\"3\" data_block_size=\"128\" nr_data_blocks=\"0\">\n\
             <diff left=\"1\" right=\"2\">\n{runs}</diff>\n</superblock>\n"
        )
    };
    let run = |kind: &str, begin: u64, length: u64| format!("<{kind} begin=\"{begin}\" length=\"{length}\"/>\n");
    assert!(refused(&document(&run("same", 0, 16))).contains("are not the same in both images"));
    assert!(refused(&document("")).contains("which has"));
    let right = document(
        &[run("same", 0, 3), run("different", 3, 1), run("same", 4, 6), run("different", 10, 3), run("same", 13, 3)]
            .concat(),
    );
    assert!(refused(&right.replace("right=\"2\"", "right=\"1\"")).contains("a volume with itself"));
    // The same two images in the other order.
    let new = folder.read("new.img");
    folder.write("less.img", &[&new[..3 << 16], &[0; 1 << 16], &new[4 << 16..]].concat());
    let less = document(&[run("same", 0, 3), run("left_only", 3, 1), run("same", 4, 12)].concat());
    folder.write("delta.xml", less.as_bytes());
    folder.lvdiff("--delta delta.xml less.img new.img").run().done();
    folder.lvdiff("--delta delta.xml new.img less.img").run().says(3, &["in bytes 196608..262144 of the new image"]);
    // Holes are not read: 8 TiB of zeros would take hours.
    for name in ["sparse.img", "less.img"] {
        folder.write(name, &folder.read("less.img"));
        fs::File::options().write(true).open(folder.path(name)).unwrap().set_len(1 << 43).unwrap();
    }
    folder.write("delta.xml", document(&run("same", 0, 16)).as_bytes());
    folder.lvdiff("--delta delta.xml sparse.img less.img").run().done();
    folder.write("delta.xml", right.as_bytes());
    folder.lvdiff("--delta delta.xml new.img old.img").run().done();
    folder.lvdiff("--delta missing.xml new.img old.img").run().says(1, &["`missing.xml`", "No such file"]);
}

#[test]
fn what_1_0_cannot_say() {
    let folder = Folder::new();
    folder.lvdiff("--full ./new.img --format 1.0").run().says(2, &["HYPERLAYER 1.0 has no full layers"]);
    folder.write("longer.img", &[1; 2 << 20]);
    let grown = folder.lvdiff("--scan longer.img old.img --format 1.0").run();
    let _ = grown.says(2, &["HYPERLAYER 1.0 cannot say that a volume grew or shrank"]);
}

/// The stream would take the place of what it is made of, or of what its receiver needs.
#[test]
fn an_image_as_output() {
    let folder = Folder::new();
    fs::hard_link(folder.path("new.img"), folder.path("link.img")).unwrap();
    for output in ["new.img", "old.img", "./old.img", "link.img"] {
        let before = (folder.read("new.img"), folder.read("old.img"));
        folder.lvdiff(&format!("{SCAN} -o {output}")).run().says(2, &["cannot be written to", "which is the image"]);
        assert!((folder.read("new.img"), folder.read("old.img")) == before);
    }
    assert_eq!(folder.names(), ["link.img", "new.img", "old.img"]);
}

#[test]
fn an_output_that_cannot_be() {
    let folder = Folder::new();
    fs::create_dir(folder.path("dir")).unwrap();
    folder.lvdiff(&format!("{SCAN} -o dir")).run().says(1, &["`dir` is a directory"]);
    folder.lvdiff(&format!("{SCAN} -o missing/out.hl")).run().says(1, &["No such file or directory"]);
    folder.lvdiff(&format!("{SCAN} -o new/")).run().says(1, &["`new/` is the name of a directory"]);
    assert_eq!(folder.names(), ["dir", "new.img", "old.img"]);
}

#[test]
fn a_header_that_cannot_be() {
    let folder = Folder::new();
    folder.lvdiff(&format!("{SCAN} --meta Volume_size:1")).run().says(2, &["Volume_size"]);
    folder.lvdiff(&format!("{SCAN} --layer-id no;id")).run().says(2, &["layer id"]);
}
