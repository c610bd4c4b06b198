//! Random names that nobody else has.

use cli::{Exit, OrFail, Outcome};
use lvm_cmd::Uuid;

/// `count` random hex digits.
pub(crate) fn random_hex(count: usize) -> Outcome<String> {
    Ok(random(count)?.iter().map(|byte| char::from(b"0123456789abcdef"[usize::from(byte % 16)])).collect())
}

/// An id for a physical volume, in LVM's form.
pub(crate) fn random_uuid() -> Outcome<Uuid> {
    const LETTERS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let letters: Vec<char> = random(32)?.iter().map(|byte| char::from(LETTERS[usize::from(byte % 62)])).collect();
    let mut text = String::new();
    let mut letters = letters.into_iter();
    for (n, length) in [6, 4, 4, 4, 4, 4, 6].into_iter().enumerate() {
        text.extend((n > 0).then_some('-'));
        text.extend(letters.by_ref().take(length));
    }
    text.parse().or_fail(Exit::Failed)
}

fn random(count: usize) -> Outcome<Vec<u8>> {
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
            .or_fail(Exit::Failed)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_lvms_form_and_differ() {
        assert_ne!(random_uuid().unwrap(), random_uuid().unwrap());
        let id = random_hex(16).unwrap();
        assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
