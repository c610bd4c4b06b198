//! A classic snapshot that is in use, and is lost as soon as its space is full.

use lvm_cmd::ClassicStatus;

/// From here on it is warned, or given more space.
const WARN_PERCENT: u8 = 80;

/// What is to be done about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    Nothing,
    /// Somebody is to be told that it is so full.
    Warn(u8),
    /// It is to have more space.
    Extend(u8),
    /// What it held is lost.
    Lost,
}

/// How full it is, from look to look.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fullness {
    /// Whether it may have more space.
    pub(crate) may_extend: bool,
    has_warned: bool,
}

impl Fullness {
    pub(crate) fn new(may_extend: bool) -> Self {
        Self { may_extend, has_warned: false }
    }

    /// After a look.
    pub(crate) fn seen(&mut self, status: ClassicStatus) -> Next {
        let percent = status.full_percent();
        if status == ClassicStatus::Invalid {
            return Next::Lost;
        }
        if percent < WARN_PERCENT {
            self.has_warned = false;
            return Next::Nothing;
        }
        if self.may_extend {
            return Next::Extend(percent);
        }
        if std::mem::replace(&mut self.has_warned, true) { Next::Nothing } else { Next::Warn(percent) }
    }

    /// There is no more space to give.
    pub(crate) fn is_at_its_end(&mut self) {
        (self.may_extend, self.has_warned) = (false, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use extents::Sectors;

    fn full(percent: u64) -> ClassicStatus {
        ClassicStatus::Valid { used: Sectors::new(percent * 10), total: Sectors::new(1000) }
    }

    #[test]
    fn it_is_told_once_each_time() {
        let mut fullness = Fullness::new(false);
        let seen = [10, 79, 80, 85, 99, 60, 81].map(|percent| fullness.seen(full(percent)));
        let expected =
            [Next::Nothing, Next::Nothing, Next::Warn(80), Next::Nothing, Next::Nothing, Next::Nothing, Next::Warn(81)];
        assert_eq!(seen, expected);
        assert_eq!(fullness.seen(ClassicStatus::Invalid), Next::Lost);
    }

    #[test]
    fn it_is_extended_until_there_is_no_space() {
        let mut fullness = Fullness::new(true);
        assert_eq!(
            [79, 80, 41, 90].map(|percent| fullness.seen(full(percent))),
            [Next::Nothing, Next::Extend(80), Next::Nothing, Next::Extend(90)]
        );
        fullness.is_at_its_end();
        assert_eq!(fullness.seen(full(95)), Next::Nothing);
        assert_eq!(fullness.seen(ClassicStatus::Invalid), Next::Lost);
    }
}
