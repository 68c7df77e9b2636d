//! What `cargo xtask bench` measures with stays fit to be run. The programs in C, and what is made of the samples, are tested where
//! that is written.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_peers_programs_are_python() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("bench");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let scripts: Vec<_> = files.filter(|file| file.extension().is_some_and(|kind| kind == "py")).collect();
    assert_eq!(scripts.len(), 3);
    const COMPILE: &str = "import sys; [compile(open(file).read(), file, 'exec') for file in sys.argv[1:]]";
    let output = Command::new("python3").args(["-c", COMPILE]).args(scripts).output().expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_unknown_part_is_answered_with_those_there_are() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["bench", "--only", "pushing"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("push, through, levels, latency, scale, memory, footprint"), "{said}");
}
