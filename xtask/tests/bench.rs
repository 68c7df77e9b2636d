//! What `cargo xtask bench` measures with stays fit to be run. What it makes of the samples is tested where that is written.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_programs_that_measure_are_c99_without_a_warning() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let files = fs::read_dir(root.join("bench")).unwrap().map(|entry| entry.unwrap().path());
    let programs: Vec<_> = files.filter(|file| file.extension().is_some_and(|extension| extension == "c")).collect();
    assert_eq!(programs.len(), 7);
    for program in programs {
        let mut gcc = Command::new("gcc");
        gcc.args(["-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror", "-S", "-o", "/dev/null"]);
        let output = gcc.arg("-I").arg(root.join("include")).arg(&program).output().expect("gcc");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn an_unknown_part_is_answered_with_those_there_are() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["bench", "--only", "pushing"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("push, through, latency, scale, memory, footprint"), "{said}");
}
