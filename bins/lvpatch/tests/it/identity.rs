use crate::{APPLY, Folder, SCAN};

/// The content decides: neither a name nor a place.
#[test]
fn a_wrong_base() {
    let folder = Folder::new();
    let stream = folder.stream(&format!("{SCAN} -d 0"));
    let mut other = folder.read("old.img");
    // Where no record and no check of the stream lies.
    other[300_000] ^= 1;
    folder.write("other.img", &other);
    let wrong = "--base other.img --output got.img";
    folder.refuses(wrong, &stream, 3, &["`other.img` is not the stream's base", "hint:", "--base-id"]);
    folder.refuses(&format!("{wrong} --dry-run"), &stream, 3, &["is not the stream's base"]);
    folder.write("copy.img", &folder.read("old.img"));
    folder.lvpatch("--base copy.img --output got.img").stdin(&stream).run().done();
}

#[test]
fn a_base_of_another_size() {
    let folder = Folder::new();
    let stream = folder.stream("--scan new.img old.img --parent-id monday");
    let old = folder.read("old.img");
    for size in [old.len() - 512, old.len() - 1, 0] {
        folder.write("short.img", &old[..size]);
        let line = "--base short.img --base-id monday --output got.img";
        folder.refuses(line, &stream, 3, &[&format!("`short.img` has {size} bytes"), "had 307200"]);
        folder.refuses(&format!("{line} --force-base"), &stream, 3, &["bytes"]);
    }
}

#[test]
fn a_base_that_changed_where_it_is_checked() {
    let folder = Folder::new();
    let stream = folder.stream(&format!("{SCAN} -d 3 --parent-id monday"));
    let mut changed = folder.read("old.img");
    changed[300_000] ^= 1;
    folder.write("old.img", &changed);
    let line = format!("{APPLY} --base-id monday");
    folder.refuses(&line, &stream, 3, &["the base differs from the one that the stream was made against, in bytes"]);
    folder.refuses(&format!("{line} --dry-run"), &stream, 3, &["the base differs"]);
    folder.lvpatch(&format!("{line} --no-base-check")).stdin(&stream).run().done();
}

#[test]
fn a_base_by_its_id() {
    let folder = Folder::new();
    let stream = folder.stream(&format!("{SCAN} --parent-id monday --layer-id tuesday"));
    folder.refuses(APPLY, &stream, 3, &["made against layer monday", "of no known layer"]);
    folder.refuses(&format!("{APPLY} --base-id sunday"), &stream, 3, &["is layer sunday"]);
    folder.lvpatch(&format!("{APPLY} --base-id monday")).stdin(&stream).run().done();
    let forced = "--base old.img --output forced.img --base-id sunday --force-base";
    let says = ["warning: forced on a base of another layer; only its", "checks of the base's content"];
    folder.lvpatch(forced).stdin(&stream).run().says(0, &says);
    assert!(folder.read("forced.img") == folder.read("new.img"));
}

/// What a stream cannot promise is said.
#[test]
fn a_stream_without_identities() {
    let folder = Folder::new();
    folder.write(
        "delta.xml",
        b"<superblock uuid=\"\" time=\"1\" transaction=\"3\" data_block_size=\"128\" nr_data_blocks=\"0\">\n\
          <diff left=\"1\" right=\"2\"><different begin=\"0\" length=\"20\"/></diff></superblock>",
    );
    let stream = folder.stream("--delta delta.xml new.img old.img");
    let says = ["warning: the stream does not name its base; only its", "warning: the stream does not name its layer"];
    folder.lvpatch(APPLY).stdin(&stream).run().says(0, &says);
    assert!(folder.read("got.img") == folder.read("new.img"));
    let stream = folder.stream("--delta delta.xml new.img old.img -d 0");
    let says = ["does not name its base; nothing held it against its base"];
    folder.lvpatch("--base old.img --output got2.img").stdin(&stream).run().says(0, &says);
}

#[test]
fn the_wrong_kind_of_stream() {
    let folder = Folder::new();
    let full = folder.stream("--full ./new.img");
    folder.refuses(APPLY, &full, 3, &["the stream is a full layer", "hint: give no base"]);
    folder.refuses("--output got.img", &folder.stream(SCAN), 3, &["is a delta and needs its base", "`--base FILE`"]);
}
