//! The promise of `docs/abi.md`: what a program was built with goes on to hold. The lists in `abi/` are what was promised; here the
//! header and the options are held against them, and `abidiff` holds the header against that of the last release.

mod support;

use rheed_stream::options::Options;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::promised::listed;
use support::{Dialect, MustSucceed, Workshop, is_command, root, skip};

/// The header that programs were built with.
const RELEASED: &str = "abi/rheed_stream-0.1.0.h";
const HEADER: &str = "include/rheed_stream.h";
/// The options that they were written with.
const RELEASED_OPTIONS: &str = "abi/options-0.1.0.txt";
const OPTIONS: &str = "abi/options.txt";

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The numbers of a version.
fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().expect("versions are numbers")).collect()
}

/// The enumerators that a header writes out, with their values.
fn enumerators(header: &str) -> BTreeMap<String, String> {
    let lines = header.lines().filter_map(|line| line.strip_prefix("    RHEED_"));
    lines
        .map(|line| {
            let (name, value) = line.trim_end_matches(',').split_once(" = ").expect("its value is written out");
            (format!("RHEED_{name}"), value.to_owned())
        })
        .collect()
}

#[test]
fn what_is_kept_of_a_version_that_is_not_released_yet_is_todays() {
    let changelog = read("CHANGELOG.md");
    let newest = changelog.lines().find_map(|line| line.strip_prefix("## [")).expect("versions have headings");
    if newest == "0.1.0] - unreleased" {
        assert_eq!((read(RELEASED), read(RELEASED_OPTIONS)), (read(HEADER), read(OPTIONS)), "copy them");
    }
}

#[test]
fn every_value_of_the_header_is_promised_and_every_promised_one_is_there() {
    let promised: BTreeMap<String, String> =
        listed("abi/values.txt").into_iter().map(|line| (line[0].clone(), line[1].clone())).collect();
    assert!(promised.len() > 80);
    assert_eq!(enumerators(&read(HEADER)), promised, "abi/values.txt: a new one gets a line, none changes or goes");
}

#[test]
fn every_option_is_promised_and_every_promised_one_is_there() {
    let keys = listed(OPTIONS).into_iter().filter(|line| line.len() == 2).map(|line| line[0].clone());
    let promised: Vec<String> = keys.collect();
    let page = rheed_stream::options::markdown();
    let known: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(key, _)| key).collect();
    assert!(known.len() > 20);
    assert_eq!(known, promised, "abi/options.txt: a new key gets a line, none may go");
}

/// Lines of an options text: the words of the list.
fn promised_words(list: &str) -> Vec<String> {
    listed(list).into_iter().filter(|line| line.len() > 2).map(|line| line[..line.len() - 1].join(" ")).collect()
}

#[test]
fn every_promised_word_is_taken_and_every_word_of_the_page_is_promised() {
    let words = promised_words(OPTIONS);
    let takes = |line: &str| {
        let key = if line.starts_with("endpoint") { "" } else { "endpoint = none\n" };
        Options::for_stream(&format!("fps = 10\nspool_dir = /nowhere\n{key}{line}"))
    };
    for line in &words {
        assert!(takes(line).is_ok(), "{line}: {:?}", takes(line).err());
        if !["log_file", "stream_name"].iter().any(|key| line.starts_with(key)) {
            assert!(takes(&format!("{line}s")).is_err(), "{line} is no word but a text");
        }
    }
    let page = rheed_stream::options::markdown();
    let mut told = 0;
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let key = cells[0].trim_matches(['|', ' ', '`']);
        for word in cells[1].split('`').skip(1).step_by(2).filter(|word| *word != "queue_bytes") {
            assert!(words.contains(&format!("{key} = {word}")), "{OPTIONS}: `{word}` of {key} gets a line");
            told += 1;
        }
    }
    assert!(told > 8, "{told}");
}

#[test]
fn what_the_last_release_promised_of_options_is_promised() {
    let now = listed(OPTIONS);
    let released = listed(RELEASED_OPTIONS);
    assert!(released.len() > 30);
    for line in released {
        assert!(now.contains(&line), "{OPTIONS}: {line:?} is of the last release");
    }
}

#[test]
fn nothing_is_promised_for_a_version_to_come() {
    for list in ["abi/symbols.txt", "abi/values.txt", "abi/options.txt"] {
        for line in listed(list) {
            let since = line.last().expect("a line ends with the version");
            assert!(numbers(since) <= numbers(env!("CARGO_PKG_VERSION")), "{list}: {line:?}");
        }
    }
}

/// A library of the functions that a header declares, with the types it gives them and nothing in them.
fn library_of(workshop: &Workshop, name: &str, header: &str) -> PathBuf {
    let begins = |line: &str| line.contains(" RHEED_CALL rheed_") || line.contains("*RHEED_CALL rheed_");
    let mut declarations = Vec::new();
    let mut lines = header.lines();
    while let Some(line) = lines.find(|line| begins(line) && !line.starts_with([' ', '/'])) {
        let mut declaration = line.to_owned();
        while !declaration.ends_with(");") {
            declaration.push_str(lines.next().expect("a declaration ends"));
        }
        declarations.push(declaration.replace(");", ") { return 0; }"));
    }
    assert!(declarations.len() > 15, "{declarations:?}");
    let included = workshop.write(&format!("{name}.h"), header);
    let text = format!("#include {included:?}\n{}\n", declarations.join("\n"));
    let (source, library) = (workshop.write(&format!("{name}.c"), &text), workshop.path().join(format!("{name}.so")));
    Command::new("gcc").args(["-g", "-w", "-fPIC", "-shared", "-o"]).args([&library, &source]).must_succeed();
    library
}

/// What `abidiff` says has changed for programs that were built with the first; what was added harms none.
fn changes(before: &Path, after: &Path) -> Result<Option<String>, String> {
    /// Bits of its status: it failed; it was not called rightly.
    const FAILED: i32 = 1 | 2;
    let output =
        Command::new("abidiff").arg("--no-added-syms").args([before, after]).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    match output.status.code() {
        Some(0) => Ok(None),
        Some(code) if code & FAILED == 0 => Ok(Some(said)),
        code => Err(format!("abidiff ended with {code:?}: {said}")),
    }
}

fn abidiff_is_missing() -> bool {
    let is_missing = !is_command("abidiff");
    if is_missing {
        skip("the interface beside the last release's", "abidiff is not installed (on Debian: abigail-tools)");
    }
    is_missing
}

#[test]
fn programs_that_were_built_with_the_last_release_find_what_they_were_built_with() {
    if abidiff_is_missing() {
        return;
    }
    let workshop = Workshop::new();
    let [before, now] = [("before", RELEASED), ("now", HEADER)].map(|(name, file)| library_of(&workshop, name, &read(file)));
    assert_eq!(changes(&before, &now), Ok(None));
    // The values of enumerations are in no function's type.
    let now = enumerators(&read(HEADER));
    for (name, value) in enumerators(&read(RELEASED)) {
        assert_eq!(now.get(&name), Some(&value), "{name}");
    }
}

#[test]
fn what_would_break_a_program_is_seen_and_a_comparison_that_fails_is_no_good_news() {
    if abidiff_is_missing() {
        return;
    }
    let workshop = Workshop::new();
    let released = read(RELEASED);
    let before = library_of(&workshop, "before", &released);
    let broken = [
        ("parameter", released.replace("uint32_t width", "uint64_t width")),
        ("handle", released.replace("typedef uint64_t rheed_stream;", "typedef uint32_t rheed_stream;")),
        ("gone", released.replace("RHEED_CALL rheed_abort(", "RHEED_CALL rheed_abort_it(")),
        ("callback", released.replace("(RHEED_CALL *rheed_source)(void *user, ", "(RHEED_CALL *rheed_source)(")),
    ];
    for (name, header) in broken {
        assert_ne!(header, released, "{name}");
        let after = library_of(&workshop, name, &header);
        assert!(matches!(changes(&before, &after), Ok(Some(_))), "{name}");
    }
    let added = released.replace(
        "int32_t RHEED_CALL rheed_abi(void);",
        "int32_t RHEED_CALL rheed_abi(void);\nint32_t RHEED_CALL rheed_new(void);",
    );
    assert_eq!(changes(&before, &library_of(&workshop, "added", &added)), Ok(None));
    assert!(changes(&before, &workshop.path().join("nowhere.so")).is_err());
}

#[test]
fn the_functions_of_the_last_release_are_declared_as_they_were() {
    let released = read(RELEASED);
    let (_, functions) = released.split_once("extern \"C\" {\n#endif // __cplusplus\n").expect("they stand in it");
    let (functions, _) = functions.split_once("#ifdef __cplusplus").expect("it ends");
    // Twice declared is an error unless it is the same.
    let workshop = Workshop::new();
    let both = workshop.write("both.c", &format!("#include \"rheed_stream.h\"\n{functions}"));
    workshop.check(&Dialect::c("c11"), &both);
}
