//! What a frame costs the camera's thread, in instructions: callgrind counts them, so that no clock and no load decides.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::spool::options;
use support::{Dialect, Linked, MustSucceed, Workshop, is_command, long_run, root, skip, without_this_machines_service};

/// How often `tests/c/cost.c` does each thing that it has counted.
const COUNTED: u64 = 100;
/// Of a push of 64 x 64 pixels beside the copying, and of an acquire and a commit: half as many again as were counted when this
/// was written.
const MOST_OF_A_PUSH: u64 = if cfg!(debug_assertions) { 10_200 } else { 1_350 };
const MOST_OF_A_LOAN: u64 = if cfg!(debug_assertions) { 16_500 } else { 1_750 };

/// A program under callgrind, which counts inside these functions. Its dumps are named after the path that is answered.
fn callgrind(workshop: &Workshop, functions: &[&str], program: &Path) -> (Command, PathBuf) {
    let dumps = workshop.path().join("counted");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--quiet", "--fair-sched=yes"]).arg(format!("--callgrind-out-file={}", dumps.display()));
    command.args(functions.iter().map(|function| format!("--toggle-collect={function}"))).arg(program);
    without_this_machines_service(&mut command);
    (command, dumps)
}

/// A program of `tests/rust` that has the library's own code, optimized.
fn optimized(workshop: &Workshop, name: &str) -> PathBuf {
    let program = workshop.path().join(name);
    let rustc = std::env::var("RUSTC").unwrap_or("rustc".into());
    let source = root().join("tests/rust").join(name).with_extension("rs");
    Command::new(rustc).args(["--edition", "2024", "-O", "-o"]).arg(&program).arg(source).must_succeed();
    program
}

/// What a dump was for, if the program said so, and its instructions.
fn dump(file: &Path) -> Option<(String, u64)> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = |begin: &str| text.lines().find_map(|line| line.strip_prefix(begin));
    let instructions = line("summary: ").and_then(|count| count.parse().ok()).expect("a count is in each dump");
    Some((line("desc: Trigger: Client Request: ").unwrap_or_default().to_owned(), instructions))
}

/// The instructions of a call, by what `tests/c/cost.c` calls it.
fn counted(workshop: &Workshop) -> BTreeMap<String, u64> {
    let program = workshop.build(&Dialect::c("c99"), &root().join("tests/c/cost.c"), Linked::Shared);
    let calls = ["rheed_push", "rheed_acquire", "rheed_commit", "copy_frame"];
    let (mut command, dumps) = callgrind(workshop, &calls, &program);
    command.args(options(workshop)).args(["fps=100", "clock_sync=off"]).must_succeed();
    let dumps = (1..).map_while(|number| dump(&dumps.with_extension(number.to_string())));
    dumps.map(|(name, instructions)| (name, instructions / COUNTED)).collect()
}

#[test]
fn a_push_executes_few_instructions_beside_its_copy_and_no_more_after_thousands_of_frames() {
    const HEADER: &str = "/usr/include/valgrind/callgrind.h";
    if !is_command("valgrind") || !Path::new(HEADER).is_file() {
        return skip("instructions of a push", "valgrind is not installed with its headers");
    }
    let workshop = Workshop::new();
    let counted = counted(&workshop);
    let of = |name: &str| counted[name];
    let told = counted.iter().map(|(name, instructions)| format!("{name} {instructions}")).collect::<Vec<_>>().join(", ");
    long_run::figure(&format!("instructions on the camera's thread: {told}"));

    assert!(of("push") <= MOST_OF_A_PUSH + of("copy"), "{told}");
    assert!(of("acquire and commit") <= MOST_OF_A_LOAN, "{told}");
    for call in ["push", "acquire and commit"] {
        let (before, after) = (of(call), of(&format!("{call} after many")));
        assert!(after <= before + before / 50, "it grows with the frames that were given: {told}");
        let watched = of(&format!("{call} with regions"));
        assert!(watched <= before + before / 50, "somebody watches regions, and the camera's thread pays for it: {told}");
    }
    let (grown, copied) = (of("push large") - of("push"), of("copy large") - of("copy"));
    assert!(grown <= copied + copied / 20, "a larger frame costs more than its copy: {told}");
}

#[test]
fn pixels_are_brought_to_eight_bits_and_binned_several_at_a_time() {
    const WIDTH: u64 = 2048;
    if !is_command("valgrind") {
        return skip("instructions of a conversion", "valgrind is not installed");
    }
    let workshop = Workshop::new();
    let program = optimized(&workshop, "convert_row");
    // Half as many again as were counted on x86-64. One pixel at a time took 52,000 of tens, and 11,800 of squares of two by two.
    for (storage, most) in [
        ("words", 2_200),
        ("tens", 9_100),
        ("twelves", 9_100),
        ("threes", 7_200),
        ("colours", 26_000),
        ("2", 7_500),
        ("4", 11_700),
    ] {
        let (mut command, dumps) = callgrind(&workshop, &["convert_row", "bin_rows"], &program);
        command.args([storage, &WIDTH.to_string()]).must_succeed();
        let (_, instructions) = dump(&dumps).expect("it is dumped at the end");
        long_run::figure(&format!("instructions for {WIDTH} pixels of {storage}: {instructions}"));
        assert!((WIDTH / 4..=most).contains(&instructions), "{storage}: {instructions}");
    }
}

#[test]
fn the_pixels_of_a_region_are_measured_several_at_a_time() {
    if !is_command("valgrind") {
        return skip("instructions of a region", "valgrind is not installed");
    }
    let workshop = Workshop::new();
    let program = optimized(&workshop, "measure_region");
    // Half as many again as were counted on x86-64. One pixel at a time takes four and more for each.
    for (side, most) in [(32, 2_000), (100, 17_700), (1000, 1_060_000)] {
        let (mut command, dumps) = callgrind(&workshop, &["measure_region"], &program);
        command.arg(side.to_string()).must_succeed();
        let (_, instructions) = dump(&dumps).expect("it is dumped at the end");
        long_run::figure(&format!("instructions for a region of {side} x {side} pixels: {instructions}"));
        assert!((side..=most).contains(&instructions), "{side}: {instructions}");
    }
}
