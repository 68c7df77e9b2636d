//! What the shared library shows to the world: the interface under its promised names, and nothing else.

mod support;

use std::process::Command;
use support::promised::listed;
use support::{MustSucceed, library_folder, root};

/// As committed, sorted.
fn promised() -> Vec<String> {
    let pair = |line: Vec<String>| <[String; 2]>::try_from(line).expect("a line is a name and a version");
    let mut names: Vec<String> = listed("abi/symbols.txt").into_iter().map(|line| pair(line)[0].clone()).collect();
    names.sort();
    names
}

fn read_dynamic_section() -> String {
    Command::new("readelf").args(["--dynamic", "--wide"]).arg(library_folder().join("librheed_stream.so")).must_succeed()
}

#[test]
fn the_library_exports_the_promised_functions_and_nothing_else() {
    let library = library_folder().join("librheed_stream.so");
    let listed = Command::new("nm").args(["--dynamic", "--defined-only", "--format=posix"]).arg(library).must_succeed();
    let mut exported: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    exported.sort();
    assert_eq!(exported, promised(), "abi/symbols.txt is what programs rely on: a new function gets a line, none may go");
}

#[test]
fn the_header_declares_the_promised_functions() {
    let header = std::fs::read_to_string(root().join("include/rheed_stream.h")).expect("the header is there");
    let mut declared: Vec<&str> = header
        .lines()
        .filter(|line| !line.starts_with([' ', '/']) && !line.starts_with("typedef"))
        .filter_map(|line| line.split_once("RHEED_CALL ")?.1.split_once('('))
        .map(|(name, _)| name)
        .collect();
    declared.sort();
    assert_eq!(declared, promised());
}

#[test]
fn the_soname_bears_the_number_of_the_interface() {
    let soname = format!("librheed_stream.so.{}", rheed_stream::codes::ABI);
    assert_eq!(soname, support::SONAME);
    assert!(read_dynamic_section().contains(&format!("soname: [{soname}]")), "{}", read_dynamic_section());
}

#[test]
fn unloading_the_library_leaves_it_mapped() {
    assert!(read_dynamic_section().contains("NODELETE"), "{}", read_dynamic_section());
}
