//! One YAML scalar on one line: as much of YAML as the values of a 1.0 header need.

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take};
use nom::character::complete::{anychar, char};
use nom::combinator::{all_consuming, map_opt, value};
use nom::multi::fold_many0;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

/// The text of a scalar; `None` for a quoted one that is broken. What is not quoted is the text itself, whatever
/// type YAML would see in it.
pub(super) fn read(text: &str) -> Option<String> {
    let parsed = match text.as_bytes().first() {
        Some(b'"') => all_consuming(double_quoted).parse(text),
        Some(b'\'') => all_consuming(single_quoted).parse(text),
        _ => return Some(text.to_owned()),
    };
    parsed.ok().map(|(_, text)| text)
}

fn joined<'a>(
    piece: impl Parser<&'a str, Output = String, Error = nom::error::Error<&'a str>>,
) -> impl Parser<&'a str, Output = String, Error = nom::error::Error<&'a str>> {
    fold_many0(piece, String::new, |mut all, piece| {
        all.push_str(&piece);
        all
    })
}

fn single_quoted(text: &str) -> IResult<&str, String> {
    let piece = alt((is_not("'").map(str::to_owned), value("'".to_owned(), tag("''"))));
    delimited(char('\''), joined(piece), char('\'')).parse(text)
}

fn double_quoted(text: &str) -> IResult<&str, String> {
    let piece = alt((is_not("\"\\").map(str::to_owned), preceded(char('\\'), escape.map(String::from))));
    delimited(char('"'), joined(piece), char('"')).parse(text)
}

/// What follows a backslash (YAML 1.1, section 5.7).
fn escape(text: &str) -> IResult<&str, char> {
    let code = |digits: usize| {
        map_opt(take(digits), |hex: &str| {
            let plain = hex.bytes().all(|b| b.is_ascii_hexdigit());
            plain.then(|| u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)).flatten()
        })
    };
    let single = map_opt(anychar, |c| {
        Some(match c {
            '0' => '\0',
            'a' => '\x07',
            'b' => '\x08',
            't' | '\t' => '\t',
            'n' => '\n',
            'v' => '\x0b',
            'f' => '\x0c',
            'r' => '\r',
            'e' => '\x1b',
            'N' => '\u{85}',
            '_' => '\u{a0}',
            'L' => '\u{2028}',
            'P' => '\u{2029}',
            ' ' | '"' | '/' | '\\' => c,
            _ => return None,
        })
    });
    alt((preceded(char('x'), code(2)), preceded(char('u'), code(4)), preceded(char('U'), code(8)), single)).parse(text)
}

/// A scalar that any YAML reader takes for this text: plain where that is certain, else in double quotes.
pub(super) fn write(text: &str) -> String {
    // YAML 1.1 takes these for booleans and nothing; what begins with a letter is never a number or a time.
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let simple = |c: char| c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric();
    let plain = text.starts_with(|c: char| c.is_alphabetic() || c == '/' || c == '_' || c == '(')
        && text.chars().all(simple)
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text));
    if plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if simple(c) => quoted.push(c),
            c => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[track_caller]
    fn check_read(scalar: &str, expected: Option<&str>) {
        assert_eq!(read(scalar).as_deref(), expected);
    }

    #[test]
    fn scalars_that_others_write() {
        check_read("sp1", Some("sp1"));
        check_read("", Some(""));
        check_read(r#""1234""#, Some("1234"));
        check_read("'yes'", Some("yes"));
        check_read("'it''s'", Some("it's"));
        check_read(r#""a\"b\\c\/d""#, Some("a\"b\\c/d"));
        check_read(r#""\x41\u00e9\U0001F600\n\0""#, Some("Aé😀\n\0"));
        check_read("@x", Some("@x"));
    }

    #[test]
    fn broken_scalars() {
        for broken in
            [r#"""#, r#""a"#, r#""a" b"#, r#""\q""#, r#""\x4""#, r#""\x+4""#, r#""\uD800""#, "'", "'a'b'", r#""\""#]
        {
            check_read(broken, None);
        }
    }

    #[test]
    fn quoted_only_where_needed() {
        for plain in ["sp1", "vg0/lv", "hello world", "BigVan (alpc_metic@live.com)", "a:b", "a#b", "Grüße"] {
            assert_eq!(write(plain), plain);
        }
        for quoted in [
            "1234",
            "yes",
            "On",
            "N",
            "1e3",
            "0x10",
            "2017-01-01",
            "",
            " a",
            "a ",
            "a: b",
            "a #b",
            "@x",
            "-",
            "a:",
            "~",
        ] {
            assert_eq!(write(quoted), format!("\"{quoted}\""));
        }
        assert_eq!(write("\"a\\"), r#""\"a\\""#);
        assert_eq!(write("\u{feff}"), r#""\U0000FEFF""#);
    }
}
