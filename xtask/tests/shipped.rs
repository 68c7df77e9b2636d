//! What `cargo xtask install` installs: the library that users get, optimized as a whole, which the other tests do not link.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{root, said_by, xtask};

/// Bytes of the shared library, without symbols.
const LARGEST: u64 = 4_000_000;

const PROGRAM: &str = r#"
#include <rheed_stream.h>
#include <stdio.h>
int main(void) {
    char options[512], message[256] = "";
    rheed_stream stream = 0;
    snprintf(options, sizeof options, "fps = 10\nendpoint = none\nspool_dir = %s\n", SPOOL);
    const int32_t opened = rheed_init(options, &stream, message, sizeof message);
    if (opened != RHEED_OK) return fprintf(stderr, "%s\n", message), 1;
    static const unsigned char pixels[64 * 64];
    if (rheed_push(stream, pixels, sizeof pixels, 64, 64, 0, RHEED_FORMAT_MONO8, 0, 0, 0) != RHEED_OK) return 2;
    rheed_finalize(stream, -1);
    int64_t values[RHEED_STAT_FRAMES_ACCEPTED + 1];
    if (rheed_stats(stream, values, RHEED_STAT_FRAMES_ACCEPTED + 1, NULL) != RHEED_OK) return 3;
    if (values[RHEED_STAT_FRAMES_ACCEPTED] != 1) return 4;
    puts(rheed_version());
    return rheed_free(stream) == RHEED_OK ? 0 : 5;
}
"#;

fn compile_and_run(folder: &Path, name: &str, library: &[PathBuf], system: &[&str]) -> String {
    let source = folder.join("program.c");
    fs::write(&source, PROGRAM).unwrap();
    let program = folder.join(name);
    let spool = format!("-DSPOOL=\"{}\"", folder.join("spool").display());
    let mut cc = Command::new("gcc");
    cc.args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", &spool, "-I"]).arg(folder.join("include"));
    said_by(
        cc.arg(source)
            .args(library)
            .args(system)
            .arg("-Xlinker")
            .arg("-rpath")
            .arg("-Xlinker")
            .arg(folder.join("lib"))
            .arg("-o")
            .arg(&program),
    );
    said_by(&mut Command::new(program)).trim().to_owned()
}

fn check_that_everybody_may_read(folder: &Path) {
    assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o755, "{}", folder.display());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            check_that_everybody_may_read(&path);
        } else {
            assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o644, "{}", path.display());
        }
    }
}

#[test]
fn what_is_installed_is_small_exports_what_is_promised_and_links_both_ways() {
    let prefix = root().join("target/tmp/shipped");
    let _ = fs::remove_dir_all(&prefix);
    // Whoever installs for everybody, in whatever shell.
    let program = xtask(&["install", "--prefix"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 077 && exec \"$0\" \"$@\""]).arg(program.get_program()).args(program.get_args()).arg(&prefix);
    let told = said_by(shell.current_dir(root()));
    assert!(told.contains("it needs glibc 2.17 or later"), "{told}");
    check_that_everybody_may_read(&prefix);
    for licence in ["LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY.md", "rust-standard-library.html"] {
        assert!(prefix.join("share/doc/rheed-stream").join(licence).is_file(), "{licence} is missing");
    }
    let shared = prefix.join("lib/librheed_stream.so");

    let bytes = fs::metadata(&shared).unwrap().len();
    assert!(bytes <= LARGEST, "{bytes} bytes: docs/performance.md tells what is in it");

    let listed = said_by(Command::new("nm").args(["--dynamic", "--defined-only", "--format=posix"]).arg(&shared));
    let mut exported: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    exported.sort_unstable();
    let functions = support::promised::listed("abi/symbols.txt");
    let mut promised: Vec<&str> = functions.iter().map(|line| line[0].as_str()).collect();
    promised.sort_unstable();
    assert_eq!(exported, promised);

    let dynamic = said_by(Command::new("readelf").args(["--dynamic", "--wide"]).arg(&shared));
    assert!(dynamic.contains("[librheed_stream.so.1]") && dynamic.contains("NODELETE"), "{dynamic}");

    let told = fs::read_to_string(prefix.join("lib/pkgconfig/rheed_stream.pc")).unwrap();
    let told = |what: &str| told.lines().find_map(|line| line.strip_prefix(what)).expect("the pkg-config file tells it").trim();
    let private: Vec<&str> = told("Libs.private:").split_whitespace().collect();
    assert_eq!(compile_and_run(&prefix, "shared", &[shared], &[]), told("Version:"));
    assert_eq!(compile_and_run(&prefix, "static", &[prefix.join("lib/librheed_stream.a")], &private), told("Version:"));
}
