//! The demonstration works: it is the first thing that a newcomer sees.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

#[test]
fn the_demonstration_reads_back_what_was_pushed_and_draws_it() {
    if std::env::var_os("RHEED_TEST_PYTHON").is_none() {
        if let Some(skips) = std::env::var_os("RHEED_TEST_SKIPS") {
            let mut skips = fs::File::options().append(true).open(skips).unwrap();
            writeln!(skips, "demo::the_demonstration_reads_back_what_was_pushed_and_draws_it: no Python packages").unwrap();
        }
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["demo", "--seconds", "3"]).current_dir(root).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("every byte as it was pushed"), "{said}");
    let picture = said.lines().find_map(|line| line.strip_prefix("a picture    ")).expect("it says where the picture lies");
    assert!(fs::read(root.join(picture)).unwrap().starts_with(b"\x89PNG"));
}
