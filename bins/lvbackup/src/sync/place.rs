//! Where a volume is: `VG/LV` here, or `[ssh://][USER@]HOST:VG/LV`.

use cli::{Exit, Failure, OrFail, Outcome};
use lvm_cmd::{LvName, LvRef, VgName};

/// One end, as it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// `[USER@]HOST`, as ssh takes it; `None` for this machine.
    pub(super) host: Option<String>,
    /// `VG/LV`, or of a destination `VG` alone.
    name: String,
}

impl Place {
    /// Splits the host off.
    pub(super) fn parse(text: &str) -> Outcome<Self> {
        let refused = |why: &str| {
            Failure::msg(Exit::Usage, format!("`{}` is no place: {why}", text.escape_debug()))
                .hint("a place is `VG/LV`, or on another host `[ssh://][USER@]HOST:VG/LV`")
        };
        let (is_url, rest) = match text.strip_prefix("ssh://") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        // No name of LVM's has a colon, and an address of IPv6 many.
        let Some((host, name)) = rest.rsplit_once(':') else {
            if is_url {
                return Err(refused("there is no `HOST:` in it"));
            }
            return Ok(Self { host: None, name: rest.to_owned() });
        };
        // It becomes an argument of ssh, which would take one with a hyphen for an option.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-@:%[]".contains(c);
        let alone = host.rsplit_once('@').map_or(host, |(_, host)| host);
        if alone.is_empty() || host.starts_with(['-', '@']) || alone.starts_with('-') || !host.chars().all(is_plain) {
            return Err(refused("its host is no name of one"));
        }
        let bare = alone.strip_prefix('[').and_then(|alone| alone.strip_suffix(']'));
        let host = bare.map_or_else(|| host.to_owned(), |bare| host.replace(alone, bare));
        Ok(Self { host: Some(host), name: name.to_owned() })
    }

    /// The volume of a source.
    pub(super) fn volume(&self) -> Outcome<LvRef> {
        LvRef::parse(&self.name, None).or_fail(Exit::Usage)
    }

    /// The volume of a destination: its own name, or in a group alone that of the source, or `name`.
    pub(super) fn destination(&self, source: &LvRef, name: Option<&str>) -> Outcome<LvRef> {
        let named: Option<LvName> = name.map(str::parse).transpose().or_fail(Exit::Usage)?;
        if self.name.contains('/') {
            if name.is_some() {
                return Err(Failure::msg(Exit::Usage, "`--name` is for a destination that is a volume group alone"));
            }
            return self.volume();
        }
        let vg: VgName = self.name.parse().or_fail(Exit::Usage)?;
        Ok(LvRef::new(vg, named.unwrap_or_else(|| source.lv().clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        for (text, host, volume) in [
            ("vg0/data", None, "vg0/data"),
            ("/dev/vg0/data", None, "vg0/data"),
            ("web1:vg0/data", Some("web1"), "vg0/data"),
            ("ssh://web1:vg0/data", Some("web1"), "vg0/data"),
            ("root@web1.example.org:vg0/data", Some("root@web1.example.org"), "vg0/data"),
            ("root@[2001:db8::1]:vg0/data", Some("root@2001:db8::1"), "vg0/data"),
            ("[::1]:vg0/data", Some("::1"), "vg0/data"),
        ] {
            let place = Place::parse(text).unwrap();
            assert_eq!(place.host.as_deref(), host, "{text}");
            assert_eq!(place.volume().unwrap().to_string(), volume, "{text}");
        }
        for text in [
            "-oProxyCommand=id:vg0/data",
            "root@-x:vg0/data",
            ":vg0/data",
            "a b:vg0/data",
            "ssh://vg0/data",
            "a$(id):v/l",
            "@h:v/l",
        ] {
            assert_eq!(Place::parse(text).unwrap_err().exit(), Exit::Usage, "{text}");
        }
        for text in ["data", "web1:data", "web1:../data/x", "vg0/", ""] {
            assert_eq!(Place::parse(text).unwrap().volume().unwrap_err().exit(), Exit::Usage, "{text}");
        }
    }

    #[test]
    fn a_destination_may_be_a_group() {
        let source = "vg0/data".parse().unwrap();
        let of = |text, name| Place::parse(text).unwrap().destination(&source, name).map(|volume| volume.to_string());
        assert_eq!(of("host:vg1", None).unwrap(), "vg1/data");
        assert_eq!(of("vg1", Some("copy")).unwrap(), "vg1/copy");
        assert_eq!(of("host:vg1/other", None).unwrap(), "vg1/other");
        assert!(of("vg1/other", Some("copy")).is_err());
        assert!(of("vg1", Some("../copy")).is_err());
    }
}
