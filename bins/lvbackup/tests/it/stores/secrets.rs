//! What is secret is in no message.

use age::secrecy::ExposeSecret;

use super::Filled;

#[test]
fn a_key_on_the_command_line_is_not_repeated() {
    let filled = Filled::days(1);
    let identity = age::x25519::Identity::generate().to_string();
    let secret = identity.expose_secret();
    for line in [
        format!("restore store --to-file got.img --identity {secret}"),
        format!("export store --to raw -o got.img --identity {secret}"),
        format!("check store --read-data --identity {}", secret.to_lowercase()),
        format!("prune store --keep-last 1 --merge --identity {secret}"),
        format!("prune store --keep-last 1 --merge --encrypt-to {secret}"),
    ] {
        let said = filled.run(&line, 2, &[]);
        assert!(!said.text().to_uppercase().contains(&secret[16..]), "{line}: {}", said.text());
    }
}
