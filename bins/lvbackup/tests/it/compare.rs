use crate::images::{folder, json_lines, lvbackup};

#[test]
fn two_images() {
    let folder = folder();
    folder.write("copy.img", &folder.read("mon.img"));
    let _ = lvbackup(&folder, "compare mon.img copy.img", 0, &["`mon.img` and `copy.img` are the same: 1.0 MiB"]);

    let mut other = folder.read("mon.img");
    for at in [5000, 5600, 6000, 900_000] {
        other[at] ^= 1;
    }
    folder.write("other.img", &other);
    let said = lvbackup(&folder, "compare mon.img other.img", 3, &["differ: in 2.0 KiB (2048 bytes) of 1.0 MiB"]);
    let found: Vec<_> = said.text().lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(found, [["offset", "length"], ["4608", "1536"], ["899584", "512"]]);

    let said = lvbackup(&folder, "compare mon.img other.img --json --ranges 1", 3, &[]);
    let found = &json_lines(&said)[0];
    assert_eq!(found["first"], serde_json::json!([[4608, 1536]]));
    assert_eq!((&found["same"], &found["different_bytes"]), (&false.into(), &2048.into()));
}

/// Where cmp finds the first byte, the first range is.
#[test]
fn as_cmp_says() {
    let folder = folder();
    let said = lvbackup(&folder, "compare mon.img tue.img --json", 3, &[]);
    let offset = json_lines(&said)[0]["first"][0][0].as_u64().unwrap();
    let cmp = testkit::Tool::shell("cmp mon.img tue.img", &[], folder.root()).run();
    let byte = cmp.text().split("byte ").nth(1).unwrap().split(',').next().unwrap().parse::<u64>().unwrap();
    assert_eq!(offset, (byte - 1) / 512 * 512);
}

#[test]
fn other_sizes_are_a_difference() {
    let folder = folder();
    folder.write("short.img", &folder.read("mon.img")[..512 * 100]);
    let says = ["differ: in 0 B (0 bytes) of 50.0 KiB", "`mon.img` has 1048576 bytes, `short.img` 51200"];
    let _ = lvbackup(&folder, "compare mon.img short.img", 3, &says);
    let said = lvbackup(&folder, "compare short.img mon.img --json", 3, &[]);
    let found = &json_lines(&said)[0];
    assert_eq!((&found["left_size_bytes"], &found["same"]), (&51200.into(), &false.into()));
}

#[test]
fn holes_are_not_read() {
    let folder = folder();
    let sparse = |name: &str| {
        let file = std::fs::File::create(folder.path(name)).unwrap();
        file.set_len(1 << 40).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &[1; 4096], 1 << 39).unwrap();
    };
    sparse("a.img");
    sparse("b.img");
    let said = lvbackup(&folder, "compare a.img b.img --json", 0, &[]);
    let compared = json_lines(&said)[0]["compared_bytes"].as_u64().unwrap();
    assert!((4096..1 << 20).contains(&compared), "{compared}");
}

#[test]
fn an_image_and_a_stream() {
    let folder = folder();
    for (name, stream) in [("mon.img", "mon.hl"), ("tue.img", "tue.hl"), ("wed.img", "wed.hl"), ("thu.img", "thu.hl")] {
        let _ = lvbackup(&folder, &format!("compare {name} {stream}"), 0, &["are the same"]);
        let _ = lvbackup(&folder, &format!("compare {stream} {name}"), 0, &["are the same"]);
    }
    let _ = folder.tool("lvdiff", "--full ./mon.img --compress zstd -o mon.hl.zst").run().done();
    let _ = lvbackup(&folder, "compare mon.hl.zst mon.img", 0, &["are the same"]);

    let said = lvbackup(&folder, "compare mon.hl tue.img --json", 3, &[]);
    let images = lvbackup(&folder, "compare mon.img tue.img --json", 3, &[]);
    let (of_stream, of_images) = (&json_lines(&said)[0], &json_lines(&images)[0]);
    for key in ["first", "different_bytes", "left_size_bytes", "right_size_bytes"] {
        assert_eq!(of_stream[key], of_images[key], "{key}");
    }
    let _ = lvbackup(&folder, "compare wed.hl mon.img", 3, &["`wed.hl` has 614400 bytes, `mon.img` 1048576"]);
}

#[test]
fn a_stream_that_is_damaged() {
    let folder = folder();
    let stream = folder.read("mon.hl");
    folder.write("cut.hl", &stream[..stream.len() - 1]);
    let _ = lvbackup(&folder, "compare mon.img cut.hl", 3, &["`cut.hl`: the stream is refused", "cut"]);
}

/// An image may begin with the bytes that another format's streams begin with.
#[test]
fn images_that_look_like_streams() {
    let folder = folder();
    for magic in [&[1, 1][..], &[1, 2], b"<?xml", &[0x28, 0xb5, 0x2f, 0xfd], b"HYPERLAYER/1.1\n"] {
        let mut image = folder.read("mon.img");
        image[..magic.len()].copy_from_slice(magic);
        folder.write("a.img", &image);
        folder.write("b.img", &image);
        let hint = lvbackup(&folder, "compare a.img mon.img", 3, &["`a.img`"]).stderr;
        assert!(hint.contains("hint: read it as an image with `--image a`"), "{magic:?}: {hint}");
        let _ = lvbackup(&folder, "compare a.img b.img --image both", 0, &["are the same: 1.0 MiB"]);
        let _ = lvbackup(&folder, "compare a.img mon.img --image a", 3, &["differ: in 512 B"]);
        let _ = lvbackup(&folder, "compare mon.img a.img --image b", 3, &["differ: in 512 B"]);
    }
}

/// What a receive left is no source: it may be half of an image.
#[test]
fn an_image_that_is_half_received() {
    let folder = folder();
    std::fs::copy(folder.path("mon.img"), folder.path(".new.img.partial")).unwrap();
    let says = ["`.new.img.partial` is an unfinished image", "expected a complete one"];
    let _ = lvbackup(&folder, "compare mon.img .new.img.partial", 1, &says);
    let _ = lvbackup(&folder, "recv --to-file x.img --base .new.img.partial -i tue.hl", 1, &says[1..]);
    folder.tool("lvdiff", "--full ./.new.img.partial -o x.hl").run().says(1, &says[1..]);
    folder.tool("lvpatch", "--base .new.img.partial --output x.img -i tue.hl").run().says(1, &says[1..]);
    for left in ["x.img", "x.hl"] {
        assert!(!folder.path(left).exists(), "{left}");
    }
}

#[test]
fn what_cannot_be_compared() {
    let folder = folder();
    let _ = lvbackup(&folder, "compare mon.hl tue.hl", 2, &["both sides are streams", "receive them"]);
    let _ = lvbackup(&folder, "compare mon.img missing.img", 1, &["`missing.img`", "No such file or directory"]);
    let _ = lvbackup(&folder, "compare mon.img .", 1, &["is a directory"]);
}

/// A stream that does not say what it is agrees with a volume only as far as it goes, which is said; as a whole volume it
/// must be all of it.
#[test]
fn a_stream_of_unknown_kind() {
    let folder = folder();
    let _ = folder.tool("lvdiff", "--full ./tue.img --format thin-send -o tue.ts").run().done();
    let mut more = folder.read("tue.img");
    more[750_000] = 1;
    folder.write("more.img", &more);

    let says = ["warning: the stream does not say whether it is a whole volume", "add `--full`", "has a record"];
    let said = lvbackup(&folder, "compare more.img tue.ts --json", 0, &says);
    assert_eq!((&json_lines(&said)[0]["whole"], &json_lines(&said)[0]["same"]), (&false.into(), &true.into()));
    let _ = lvbackup(&folder, "compare more.img tue.ts --full", 3, &["differ: in 512 B"]);
    let said = lvbackup(&folder, "compare tue.img tue.ts --full --json", 0, &["are the same: "]);
    assert!(!said.stderr.contains("warning"), "{}", said.stderr);
    assert_eq!(json_lines(&said)[0]["whole"], true);

    folder.write("short.img", &more[..1 << 19]);
    let says = ["`tue.ts`: a record of bytes", "past the end of the volume, which has 524288 bytes"];
    let _ = lvbackup(&folder, "compare short.img tue.ts", 3, &says);
}

#[test]
fn what_full_cannot_mean() {
    let folder = folder();
    let _ = lvbackup(&folder, "compare tue.img tue.hl --full", 2, &["`tue.hl` is a delta", "leave `--full` away"]);
    let _ = lvbackup(&folder, "compare tue.img mon.img --full", 2, &["neither side is one"]);
    let _ = lvbackup(&folder, "compare mon.img mon.hl --full", 0, &["are the same: "]);
}
