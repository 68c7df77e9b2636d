//! The list of what programs rely on.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// The functions, each with the version that brought it.
pub fn promised(root: &Path) -> Result<Vec<(String, String)>> {
    let list = fs::read_to_string(root.join("abi/symbols.txt")).context("abi/symbols.txt")?;
    let promise = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [name, since] => Ok((name.to_owned(), since.to_owned())),
        _ => bail!("abi/symbols.txt: {line:?}"),
    };
    list.lines().filter(|line| !line.starts_with('#')).map(promise).collect()
}
