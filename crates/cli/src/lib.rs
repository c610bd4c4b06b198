//! What the Hyperlayer binaries share on the command line: exit codes, hints, progress, signals.
