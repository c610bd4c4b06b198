//! The files that packages ship.
