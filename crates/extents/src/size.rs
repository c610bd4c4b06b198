//! Sizes as LVM's users write and read them.

use std::fmt;

use crate::{Bytes, SECTOR_BYTES};

const LETTERS: &[u8] = b"kmgtpe";
/// So that the computation fits into 128 bits.
const FRACTION_DIGITS_MAX: usize = 18;

/// Reads a size as LVM's tools take it (`lvm(8)`, "SIZE"): a number, perhaps with a point and up to 18 digits, then nothing
/// or `b` for bytes, `s` for sectors of 512 bytes, or one of `k m g t p e` for powers of 1024; a capital letter means powers of 1000. `KiB` and `kB` are
/// taken as `k` and `K` are.
///
/// # Errors
/// Another suffix, no number, no whole number of bytes, or more than `u64::MAX` bytes.
pub fn parse_size(text: &str) -> Result<Bytes, ParseSizeError> {
    let refused = |why| ParseSizeError { text: text.to_owned(), why };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    let number: u64 = match number.parse() {
        Ok(number) => number,
        Err(_) if digits == 0 => return Err(refused("does not start with a number")),
        Err(_) => return Err(refused("is more than 16 EiB")),
    };
    let (fraction, suffix) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(rest) => rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count()),
    };
    if fraction.len() > FRACTION_DIGITS_MAX || (fraction.is_empty() && rest.starts_with('.')) {
        return Err(refused("has no 1 to 18 digits after the point"));
    }
    let power = |base: u64, letter: u8| {
        LETTERS.iter().zip(1..).find(|(l, _)| **l == letter.to_ascii_lowercase()).map(|(_, n)| base.pow(n))
    };
    let unit = match suffix.as_bytes() {
        b"" | b"b" | b"B" => Some(1),
        b"s" | b"S" => Some(SECTOR_BYTES),
        [letter] => power(if letter.is_ascii_uppercase() { 1000 } else { 1024 }, *letter),
        [letter, b'i', b'B'] => power(1024, *letter),
        [letter, b'B'] => power(1000, *letter),
        _ => None,
    };
    let unit =
        unit.ok_or_else(|| refused("has an unknown suffix (b, s, k, m, g, t, p, e; capitals for powers of 1000)"))?;
    // Below 2^60 * 10^18, so below 2^120.
    let parts = fraction.bytes().fold(0, |parts, digit| parts * 10 + u128::from(digit - b'0')) * u128::from(unit);
    let whole = fraction.bytes().fold(1, |whole, _| whole * 10);
    if parts % whole != 0 {
        return Err(refused("is not a whole number of bytes"));
    }
    let bytes = u128::from(number) * u128::from(unit) + parts / whole;
    u64::try_from(bytes).map(Bytes::new).map_err(|_| refused("is more than 16 EiB"))
}

/// A size that is none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseSizeError {
    text: String,
    why: &'static str,
}

impl fmt::Display for ParseSizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "size `{}` {}", self.text, self.why)
    }
}

impl std::error::Error for ParseSizeError {}

/// The size for people: in the largest unit of 1024 that leaves at least 1, with one decimal: `1.5 MiB`, `512 B`.
pub fn human(size: Bytes) -> impl fmt::Display {
    struct Human(u64);
    impl fmt::Display for Human {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let power = self.0.checked_ilog2().unwrap_or(0) / 10;
            if power == 0 {
                return write!(f, "{} B", self.0);
            }
            let unit = 1u128 << (10 * power);
            // Cut, not rounded: a size shown is never more than the size.
            let tenths = u128::from(self.0) * 10 / unit;
            let letter = LETTERS[power as usize - 1].to_ascii_uppercase() as char;
            write!(f, "{}.{} {letter}iB", tenths / 10, tenths % 10)
        }
    }
    Human(size.get())
}
