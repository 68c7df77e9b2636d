//! The demonstration works: it is the first thing that a newcomer sees.

mod support;

use std::fs;
use support::{root, said_by, skip, xtask};

#[test]
fn the_demonstration_reads_back_what_was_pushed_and_draws_it() {
    if std::env::var_os("RHEED_TEST_PYTHON").is_none() {
        return skip("no Python packages");
    }
    let said = said_by(&mut xtask(&["demo", "--seconds", "3"]));
    assert!(said.contains("every byte as it was pushed"), "{said}");
    let picture = said.lines().find_map(|line| line.strip_prefix("a picture    ")).expect("it says where the picture lies");
    assert!(fs::read(root().join(picture)).unwrap().starts_with(b"\x89PNG"));
}
