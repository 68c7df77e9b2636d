//! `cargo xtask dist`: what users get, packed.

pub mod windows;

use anyhow::{Result, ensure};
use std::path::Path;

/// Lays it out below `target/dist`.
pub fn run(root: &Path, target: &str) -> Result<()> {
    ensure!(windows::is_one(target), "{target}: give a target for Windows");
    windows::stage(root, target, &root.join("target/dist").join(target))
}
