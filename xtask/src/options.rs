//! Makes `docs/options.md` from the table of options.
//!
//! The library writes the page itself, in the test that compares it: xtask would have to be built with the library to do it.

use crate::cargo;
use anyhow::{Result, ensure};
use std::path::Path;

/// Writes the page, or only looks whether it is what the table says.
pub fn run(root: &Path, only_check: bool) -> Result<()> {
    let mut test = cargo::command(root);
    test.args(["test", "--quiet", "--package", "rheed-stream", "--lib", "the_options_page_is_what_the_table_says"]);
    if !only_check {
        test.env("UPDATE_DOCS", "1");
    }
    let good = test.status()?.success();
    ensure!(good || !only_check, "docs/options.md is not what src/options.rs says: run `cargo xtask options` and commit it");
    ensure!(good, "docs/options.md was not written");
    println!("docs/options.md is up to date");
    Ok(())
}
