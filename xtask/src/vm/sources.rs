//! Where this machine gets its own distribution's packages from: the guest is made from the same.

use crate::command::{command, output};
use anyhow::{Result, bail};
use std::path::Path;

/// The distribution's package sources, as apt itself understands its configuration.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) suite: String,
    origin: Origin,
    indexes: Vec<Index>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Debian,
    Ubuntu,
}

#[derive(Debug, PartialEq, Eq)]
struct Index {
    uri: String,
    suite: String,
    component: String,
}

/// Third parties have an origin of their own, so that theirs are left out.
const FORMAT: &str = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)";

pub(super) fn of_this_machine() -> Result<Sources> {
    let targets = output(command("apt-get").args(["indextargets", "--format", FORMAT, "Created-By: Packages"]))?;
    parse(&targets)
}

fn parse(targets: &str) -> Result<Sources> {
    let mut found: Option<Sources> = None;
    for line in targets.lines() {
        let fields: Vec<_> = line.split('|').collect();
        let [origin, uri, suite, component] = fields[..] else { continue };
        let origin = match origin {
            "Debian" => Origin::Debian,
            "Ubuntu" => Origin::Ubuntu,
            _ => continue,
        };
        let (base, pocket) = suite.split_once('-').unwrap_or((suite, ""));
        if !["", "updates", "security"].contains(&pocket) || !["main", "universe"].contains(&component) {
            continue;
        }
        let sources = found.get_or_insert_with(|| Sources { suite: base.to_owned(), origin, indexes: Vec::new() });
        let index = Index { uri: uri.to_owned(), suite: suite.to_owned(), component: component.to_owned() };
        if sources.origin == origin && sources.suite == base && !sources.indexes.contains(&index) {
            sources.indexes.push(index);
        }
    }
    let Some(sources) = found else {
        bail!(
            "apt knows no package source of Debian or Ubuntu on this machine, and the guest is made from those; \
             `apt-get update` as root may help"
        );
    };
    Ok(sources)
}

impl Sources {
    /// In apt's one-line format.
    pub(super) fn list(&self) -> String {
        let keyring = match self.origin {
            Origin::Debian => "/usr/share/keyrings/debian-archive-keyring.gpg",
            Origin::Ubuntu => "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
        };
        let signed_by = if Path::new(keyring).exists() { format!("[signed-by={keyring}] ") } else { String::new() };
        let line = |index: &Index| format!("deb {signed_by}{} {} {}\n", index.uri, index.suite, index.component);
        self.indexes.iter().map(line).collect()
    }

    /// A kernel for virtual machines, with dm-thin.
    pub(super) fn kernel_package(&self) -> &'static str {
        match (self.origin, std::env::consts::ARCH) {
            (Origin::Debian, "aarch64") => "linux-image-cloud-arm64",
            (Origin::Debian, _) => "linux-image-cloud-amd64",
            (Origin::Ubuntu, _) => "linux-image-virtual",
        }
    }
}

/// How this machine reaches its sources: proxies, and mirrors of a past day, whose files count as expired.
pub(super) fn apt_options() -> Result<Vec<String>> {
    let dump = output(command("apt-config").arg("dump"))?;
    let wanted = |line: &&str| {
        ["Acquire::Check-", "Acquire::http", "Acquire::https"].iter().any(|prefix| line.starts_with(prefix))
            && !line.ends_with("\"\";")
    };
    Ok(dump.lines().filter(wanted).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn only_the_distribution_itself() {
        let targets = "|http://a.invalid/sdk/|cloud-sdk-bookworm|main\n\
            Debian|http://d.invalid/debian/|bookworm|main\n\
            Debian|http://d.invalid/debian/|bookworm|non-free\n\
            Debian|http://d.invalid/debian/|bookworm-updates|main\n\
            Debian Backports|http://d.invalid/debian/|bookworm-backports|main\n\
            Debian|http://d.invalid/security/|bookworm-security|main\n\
            Debian|http://d.invalid/debian/|trixie|main\n\
            Debian|http://d.invalid/debian/|bookworm|main\n\
            Third Party|http://t.invalid/|bookworm|main\n";
        let sources = parse(targets).unwrap();
        assert_eq!(sources.suite, "bookworm");
        let suites: Vec<_> = sources.indexes.iter().map(|index| (index.uri.as_str(), index.suite.as_str())).collect();
        assert_eq!(
            suites,
            [
                ("http://d.invalid/debian/", "bookworm"),
                ("http://d.invalid/debian/", "bookworm-updates"),
                ("http://d.invalid/security/", "bookworm-security")
            ]
        );
    }

    #[test]
    fn no_source_is_an_error_that_says_what_to_do() {
        let error = parse("$(ORIGIN)|http://d.invalid/debian/|bookworm|main\n").unwrap_err().to_string();
        assert!(error.contains("apt-get update"), "{error}");
    }
}
