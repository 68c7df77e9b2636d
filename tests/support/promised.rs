//! The lists in `abi/`: what programs rely on.

use super::root;
use std::fs;

/// The lines of a list, in words.
pub fn listed(list: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join(list)).unwrap_or_else(|error| panic!("{list}: {error}"));
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    text.lines().filter(|line| !line.starts_with('#')).map(words).collect()
}
