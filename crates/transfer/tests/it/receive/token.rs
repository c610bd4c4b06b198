use extents::{Bytes, Extent};
use hyperlayer::{Content, Outline};
use transfer::receive::{ResumeToken, TokenError};

use super::id;

fn token() -> ResumeToken {
    let mut outline = Outline::default();
    outline.add(Content::Data, Extent::new(Bytes::ZERO, Bytes::new(1 << 20)).unwrap()).unwrap();
    ResumeToken { layer: id(1), parent: Some(id(0)), size: Bytes::new(1 << 30), at: Bytes::new(1 << 20), outline }
}

#[test]
fn one_word_there_and_back() {
    let text = token().to_string();
    assert!(text.starts_with("hl1-"), "{text}");
    assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "no shell takes it apart: {text}");
    assert_eq!(text.parse(), Ok(token()));
    assert_eq!(format!(" {text}\n").parse(), Ok(token()), "as it is copied");
}

#[test]
fn damage_is_seen() {
    let text = token().to_string();
    for at in 4..text.len() {
        let mut other = text.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        assert_eq!(other.parse::<ResumeToken>(), Err(TokenError::Damaged), "{at}");
        assert_eq!(text[..at].parse::<ResumeToken>(), Err(TokenError::Damaged), "{at}");
    }
    assert!(matches!("".parse::<ResumeToken>(), Err(TokenError::NoToken { .. })));
    assert!(matches!("hl2-abc".parse::<ResumeToken>(), Err(TokenError::NoToken { .. })));
    assert_eq!(format!("hl1-{}", "A".repeat(1 << 20)).parse::<ResumeToken>(), Err(TokenError::Damaged));
}
