//! A guest with a real kernel, device mapper and LVM, for machines whose own kernel has none of it.

mod accel;
mod image;
pub(crate) mod machine;
mod payload;
mod run;
mod sources;

pub(crate) use payload::{Payload, build_all, build_binaries};

use crate::{setup, workspace};
use accel::Accel;
use anyhow::Result;
use image::Image;
use std::{path::PathBuf, time::Duration};

/// Everything that is there before a guest starts. Any number of guests may run from it at once.
#[derive(Debug)]
pub(crate) struct Guest {
    cache: PathBuf,
    image: Image,
    accel: Accel,
}

/// What a run may take, and where its results go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    pub(crate) size: machine::Size,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(2700), size: machine::Size { cpus: 2, memory_mib: 2048 } }
    }
}

impl Guest {
    /// Makes what is missing: packages of the host, the guest's image, the knowledge whether KVM works.
    pub(crate) fn prepare(afresh: bool) -> Result<Self> {
        setup::ensure()?;
        let cache = workspace::cache();
        let image = Image::ensure(&cache, afresh)?;
        let accel = Accel::of_this_machine(&image, &cache)?;
        Ok(Self { cache, image, accel })
    }
}
