//! Documents that no tool writes, and what a person reads of each.

use crate::{delta, dump};

const SUPERBLOCK: &str = r#"<superblock uuid="" time="1" transaction="3" data_block_size="128" nr_data_blocks="0">"#;

#[track_caller]
fn in_superblock(body: &str, expected: &str) {
    let error = delta(format!("{SUPERBLOCK}{body}").as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), expected, "{body}");
}

#[track_caller]
fn in_diff(body: &str, expected: &str) {
    in_superblock(&format!(r#"<diff left="1" right="2">{body}</diff></superblock>"#), expected);
}

#[track_caller]
fn superblock(tag: &str, expected: &str) {
    let error = delta(tag.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), expected, "{tag}");
}

#[test]
fn starts() {
    superblock("", "at byte 0: expected `<superblock ...>`, found the end of the input");
    superblock("syntax error\x07", "at byte 0: expected `<superblock ...>`, found `syntax error\\x07`");
    superblock(
        "<?xml version=\"1.0\"?>",
        "at byte 1: expected `<name key=\"value\">` or `</name>`, found `<?xml version=\"1.0\"?>`",
    );
    superblock("<!-- -->", "at byte 1: expected `<name key=\"value\">` or `</name>`, found `<!-- -->`");
    superblock("<diff>", "at byte 0: expected `<superblock ...>`, found `<diff>`");
    superblock("<superblock/>", "at byte 0: expected `<superblock ...>`, found `<superblock/>`");
    superblock("<superblock>", "at byte 0: expected the attribute `data_block_size`, found `<superblock>`");
    superblock(
        "<superblock data_block_size='0' transaction='1' time='1'>",
        "at byte 29: expected 1 to 2^55 - 1 sectors as the value of `data_block_size`, found `0`",
    );
    superblock(
        "<superblock data_block_size='36028797018963968' transaction='1' time='1'>",
        "at byte 29: expected 1 to 2^55 - 1 sectors as the value of `data_block_size`, found `36028797018963968`",
    );
    superblock(
        "<superblock data_block_size='128' transaction='1' time='1' uuid='a&amp;b'>",
        "at byte 65: expected UTF-8 without entities as the value of `uuid`, found `a&amp;b`",
    );
    superblock(
        "<superblock data_block_size='128' transaction='1' time='1' time='1'>",
        "at byte 59: expected each attribute once, found `time` again",
    );
    superblock(
        "<superblock data_block_size='128' transaction='1' time='1'><superblock>",
        "at byte 59: expected `<diff ...>`, found `<superblock>`",
    );
}

#[test]
fn sides() {
    in_superblock("<diff right='2'>", "at byte 86: expected the attribute `left`, found `<diff right='2'>`");
    in_superblock("<diff left='1'>", "at byte 86: expected the attribute `right`, found `<diff left='1'>`");
    in_superblock("<diff/>", "at byte 86: expected `<diff ...>`, found `<diff/>`");
    in_superblock(
        "<diff left='1' left_root='1' right='2'>",
        "at byte 86: expected a device number or a root on each side, not both, found \
         `<diff left='1' left_root='1' right='2'>`",
    );
    in_superblock(
        "<diff left='16777216' right='1'>",
        "at byte 98: expected a device number below 2^24 as the value of `left`, found `16777216`",
    );
}

#[test]
fn runs() {
    const RUN: &str = "`<same>`, `<different>`, `<left_only>` or `<right_only>` with its chunks, or `</diff>`";
    let number = |value, at| {
        in_diff(
            &format!("<same begin='{value}' length='1'/>"),
            &format!("at byte {at}: expected a decimal number below 2^64 as the value of `begin`, found `{value}`"),
        );
    };
    number("-1", 124);
    number("+1", 124);
    number("0x1", 124);
    number("1 ", 124);
    number("&#49;", 124);
    number("18446744073709551616", 124);
    number("", 111);
    in_diff("<same begin='1'/>", "at byte 111: expected the attribute `length`, found `<same begin='1'/>`");
    in_diff("text", &format!("at byte 111: expected {RUN}, found `text</diff></superblock>`"));
    in_diff(
        "<moved begin='1' length='1'/>",
        &format!("at byte 111: expected {RUN}, found `<moved begin='1' length='1'/>`"),
    );
    in_diff(
        "<range begin='1' length='1'/>",
        &format!("at byte 111: expected {RUN}, found `<range begin='1' length='1'/>`"),
    );
    in_diff("</same>", &format!("at byte 111: expected {RUN}, found `</same>`"));
    in_diff(
        "<same begin='1' length='1'></same>",
        &format!("at byte 111: expected {RUN}, found `<same begin='1' length='1'>`"),
    );
    in_diff("<same></same>", "at byte 117: expected `<range .../>`, found `</same>`");
    in_diff(
        "<same><range begin='1' length='1'/></different>",
        "at byte 146: expected `<range .../>` or the end of the element around it, found `</different>`",
    );
    in_diff(
        "<same begin='1' length='0'/>",
        "at byte 111: expected at least one chunk and an end below 2^64 bytes, found 0 chunks from 1",
    );
    in_diff(
        "<same begin='18446744073709551615' length='2'/>",
        "at byte 111: expected at least one chunk and an end below 2^64 bytes, found 2 chunks from 18446744073709551615",
    );
    // 2^48 chunks of 64 KiB are 2^64 bytes.
    in_diff(
        "<same begin='281474976710655' length='1'/>",
        "at byte 111: expected at least one chunk and an end below 2^64 bytes, found 1 chunks from 281474976710655",
    );
    in_diff(
        "<same begin='5' length='2'/><same begin='6' length='1'/>",
        "at byte 139: expected chunks from 7 on, found 6..7",
    );
}

#[test]
fn syntax() {
    let tag = |tag: &str, at: usize| {
        in_diff(tag, &format!("at byte {}: expected `<name key=\"value\">` or `</name>`, found `{tag}`", 111 + at));
    };
    tag("<>", 1);
    tag("< same>", 1);
    tag("<same begin>", 6);
    tag("<same begin=1/>", 6);
    tag("<same begin='1\"/>", 6);
    tag("<same begin='<'/>", 6);
    tag("<same a='1'b='1'/>", 11);
    tag("<same/ >", 5);
    tag("</same a='1'>", 7);
    tag("</same/>", 6);
    // A `>` ends a tag wherever it stands.
    in_diff("<same begin='>'/>", "at byte 117: expected `<name key=\"value\">` or `</name>`, found `<same begin='>`");
}

#[test]
fn ends() {
    let in_document =
        |rest: &str, expected: &str| in_superblock(&format!("<diff left='1' right='2'></diff>{rest}"), expected);
    in_document("<diff>", "at byte 118: expected `</superblock>`, found `<diff>`");
    in_document("</superblock>\n\0", "at byte 132: expected the end of the input, found `\\x00`");
    in_document("</superblock></superblock>", "at byte 131: expected the end of the input, found `</superblock>`");
}

#[test]
fn limits() {
    let attributes: String = (0..20).map(|n| format!(" a{n}=''")).collect();
    in_diff(
        &format!("<same{attributes}/>"),
        "at byte 111: expected at most 16 attributes, found more in \
         `<same a0='' a1='' a2='' a3='' a4='' a5='' a6='' a7='' a8='' a9='' a10=''...`",
    );
    in_diff(
        &format!("<{}>", "x".repeat(4095)),
        "at byte 111: expected a tag of at most 4096 bytes, found more after \
         `<xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...`",
    );
    // One byte less is read as a tag.
    in_diff(
        &format!("<same{}/", " ".repeat(4089)),
        "at byte 111: expected a tag of at most 4096 bytes, found more after \
         `<same                                                                   ...`",
    );
}

#[test]
fn dumps() {
    let in_device = |body: &str, expected: &str| {
        let device = "<device dev_id='1' mapped_blocks='3' transaction='0' creation_time='0' snap_time='0'>";
        let error = dump(format!("{SUPERBLOCK}{device}{body}</device></superblock>").as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{body}");
    };
    in_device("", "at byte 171: expected 3 mapped chunks, found 0");
    in_device("<range_mapping origin_begin='1' length='2'/>", "at byte 215: expected 3 mapped chunks, found 2");
    in_device("<range_mapping origin_begin='1' length='4'/>", "at byte 171: expected 3 mapped chunks, found 4");
    in_device(
        "<single_mapping origin_block='1'/><single_mapping origin_block='1'/>",
        "at byte 205: expected chunks from 2 on, found 1..2",
    );
    in_device(
        "<ref name='1'/>",
        "at byte 171: expected the mappings of one device, found `<ref name='1'/>`: a dump of a whole pool, in which \
         devices share mappings (`thin_dump --dev-id N` writes those of one)",
    );
    in_device(
        "<range begin='1' length='3'/>",
        "at byte 171: expected `<range_mapping .../>`, `<single_mapping .../>` or `</device>`, found \
         `<range begin='1' length='3'/>`",
    );
}
