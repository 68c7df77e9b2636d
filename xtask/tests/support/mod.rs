//! What the tests of the project's commands share.

#![allow(dead_code)] // Each test file uses a part of it.

#[path = "../../../tests/support/promised.rs"]
pub mod promised;

use std::io::Write;
use std::path::Path;
use std::process::Command;

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the project")
}

/// `cargo xtask`, in the project.
pub fn xtask(arguments: &[&str]) -> Command {
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    xtask.args(arguments).current_dir(root());
    xtask
}

/// What a program that has to succeed prints.
#[track_caller]
pub fn said_by(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Whether a program can be called: a path, or a name in PATH.
pub fn is_command(name: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}

/// Says that something was not tested, and why: on the screen, and in the file that RHEED_TEST_SKIPS names.
pub fn skip(why: &str) {
    println!("skipped: {why}");
    if let Some(skips) = std::env::var_os("RHEED_TEST_SKIPS") {
        let mut skips = std::fs::File::options().create(true).append(true).open(skips).expect("RHEED_TEST_SKIPS can be written");
        let (suite, thread) = (env!("CARGO_CRATE_NAME"), std::thread::current());
        let test = thread.name().expect("a test's thread bears its name");
        writeln!(skips, "{suite}::{test}: {why}").expect("RHEED_TEST_SKIPS can be written");
    }
}
