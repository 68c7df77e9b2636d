//! What users install, installed: each package is unpacked as they would, and programs are built with nothing else.
#![cfg(target_os = "linux")]

#[path = "../src/receiver.rs"]
mod receiver;
mod support;

use receiver::Receiver;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use support::{is_command, root, said_by, skip, xtask};

const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-O2"];

/// Packs once for all tests, with the library that `xtask install` builds, too; the folder of the packages.
fn packed() -> &'static Path {
    static PACKED: OnceLock<PathBuf> = OnceLock::new();
    PACKED.get_or_init(|| {
        said_by(&mut xtask(&["dist"]));
        root().join("target/dist")
    })
}

/// The one package of this version whose name ends so.
#[track_caller]
fn package(end: &str) -> PathBuf {
    let named = |file: &PathBuf| {
        let name = file.file_name().expect("a file has a name").to_string_lossy();
        name.contains(version()) && name.ends_with(end) && !name.contains("windows")
    };
    let found: Vec<PathBuf> =
        fs::read_dir(packed()).unwrap().map(|entry| entry.unwrap().path()).filter(|file| named(file)).collect();
    let [one] = &found[..] else { panic!("*{end}: {found:?}") };
    one.clone()
}

fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
        manifest["package"]["version"].as_str().unwrap().to_owned()
    })
}

/// A folder of a test's own, emptied.
fn workshop(name: &str) -> PathBuf {
    let folder = root().join("target/tmp/dist").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The archive, unpacked and then moved, to where a user might have it.
fn unpacked(workshop: &Path) -> PathBuf {
    said_by(Command::new("tar").arg("-xzf").arg(package(".tar.gz")).arg("-C").arg(workshop));
    let [top] = &fs::read_dir(workshop).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()[..] else {
        panic!("the archive has one folder")
    };
    let moved = workshop.join("Programme für Züchter").join("rheed");
    fs::create_dir(moved.parent().unwrap()).unwrap();
    fs::rename(top, &moved).unwrap();
    moved
}

/// A program of the package, taken from there.
fn example(prefix: &Path, name: &str) -> PathBuf {
    prefix.join("share/doc/rheed-stream/examples_c").join(name)
}

/// `rheed-receiver`, built as all tests' programs are.
fn receiver_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let features = ["--workspace", "--exclude", "rheed-stream-shipped", "--all-features"];
        said_by(Command::new(env!("CARGO")).arg("build").args(features).current_dir(root()));
        // Cargo takes it from the folder that it is called in.
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        root().join(target).join("debug/rheed-receiver")
    })
}

/// Runs a program of `examples_c` against a receiver: it ends with 0 only when every frame has arrived.
#[track_caller]
fn streams(program: &Path, libraries: Option<&Path>, arguments: &[&str]) -> String {
    let folder = program.parent().unwrap();
    let name = program.file_name().unwrap().to_string_lossy();
    let [data, spool] = ["received", "spool"].map(|kind| folder.join(format!("{name} {kind}")));
    let receiver = Receiver::start(receiver_program(), &data, &["--listen", "127.0.0.1:0"], None).expect("the receiver starts");
    let mut command = Command::new(program);
    command.args(arguments).arg(format!("endpoint={}", receiver.url)).arg(format!("api_key={}", receiver.key));
    command.arg(format!("spool_dir={}", spool.display()));
    if let Some(libraries) = libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(variable);
    }
    let said = said_by(&mut command);
    let chunks = files_below(&data).into_iter().filter(|file| file.to_string_lossy().contains("/c/")).count();
    assert!(chunks > 0, "nothing of it lies in {}: {said}", data.display());
    said
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

/// pkg-config's answer, as a shell takes it: a path may have spaces.
#[track_caller]
fn build_by_pkg_config(compiler: &str, prefix: &Path, arguments: &str, source: &Path, program: &Path) {
    const SHELL: &str =
        r#"flags=$(pkg-config $ASK rheed_stream) && eval "\"\$COMPILER\" $STRICT \"\$SOURCE\" -o \"\$PROGRAM\" $flags -lm""#;
    let mut shell = Command::new("sh");
    shell.args(["-c", SHELL]).env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    shell.env("ASK", arguments).env("COMPILER", compiler).env("STRICT", format!("{} {}", standard(source), STRICT.join(" ")));
    said_by(shell.env("SOURCE", source).env("PROGRAM", program));
}

fn standard(source: &Path) -> &'static str {
    if source.extension().is_some_and(|end| end == "cpp") { "-std=c++17" } else { "-std=c99" }
}

/// The shared libraries that a program or library asks for.
fn needed_by(file: &Path) -> BTreeSet<String> {
    let told = said_by(Command::new("readelf").args(["--dynamic", "--wide"]).arg(file));
    let needed = told.lines().filter(|line| line.contains("(NEEDED)"));
    needed.filter_map(|line| Some(line.split_once('[')?.1.trim_end_matches(']').to_owned())).collect()
}

/// The newest version of glibc that a file asks for; it asks for nothing of glibc's that is no version.
fn glibc_of(file: &Path) -> (u32, u32) {
    let asked = said_by(Command::new("readelf").args(["--version-info", "--wide"]).arg(file));
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok());
    let numbers = asked.split_whitespace().filter_map(|word| word.strip_prefix("GLIBC_")).map(|version| {
        let mut parts = version.split('.');
        let numbers = number(parts.next()).zip(number(parts.next()));
        numbers.unwrap_or_else(|| panic!("{} asks for GLIBC_{version}", file.display()))
    });
    numbers.max().expect("it asks for glibc")
}

#[test]
fn an_unpacked_and_moved_archive_serves_c99_by_pkg_config() {
    if !is_command("pkg-config") {
        return skip("no pkg-config");
    }
    let workshop = workshop("pkg-config");
    let prefix = unpacked(&workshop);
    let shared = workshop.join("shared");
    build_by_pkg_config("cc", &prefix, "--cflags --libs", &example(&prefix, "camera_callback.c"), &shared);
    let said = streams(&shared, Some(&prefix.join("lib")), &["--seconds", "1", "--fps", "60"]);
    assert!(said.contains("60 frames taken, 60 confirmed"), "{said}");
    assert!(needed_by(&shared).contains("librheed_stream.so.1"));

    // The other library of that name is not there to be preferred.
    fs::remove_file(prefix.join("lib/librheed_stream.so")).unwrap();
    let within = workshop.join("static");
    build_by_pkg_config("cc", &prefix, "--cflags --libs --static", &example(&prefix, "push_chunk.c"), &within);
    fs::remove_dir_all(prefix.join("lib")).unwrap();
    streams(&within, None, &["2"]);
    assert!(!needed_by(&within).contains("librheed_stream.so.1"));
}

#[test]
fn an_unpacked_and_moved_archive_serves_cmake() {
    let cmake = std::env::var("RHEED_TEST_CMAKE").ok().or_else(|| is_command("cmake").then(|| "cmake".to_owned()));
    let Some(cmake) = cmake else { return skip("no cmake in PATH, and RHEED_TEST_CMAKE names none") };
    let workshop = workshop("cmake");
    let prefix = unpacked(&workshop);
    let lists = format!(
        "cmake_minimum_required(VERSION 3.16)\nproject(camera C CXX)\nset(CMAKE_CXX_STANDARD 17)\n\
         find_package(rheed_stream {} REQUIRED)\n\
         add_executable(shared zero_copy.c)\ntarget_link_libraries(shared PRIVATE rheed_stream::rheed_stream)\n\
         add_executable(static zero_copy.c)\ntarget_link_libraries(static PRIVATE rheed_stream::rheed_stream_static)\n\
         add_executable(hello hello.cpp)\ntarget_link_libraries(hello PRIVATE rheed_stream::rheed_stream)\n",
        version()
    );
    for name in ["zero_copy.c", "hello.cpp"] {
        fs::copy(example(&prefix, name), workshop.join(name)).unwrap();
    }
    fs::write(workshop.join("CMakeLists.txt"), lists).unwrap();
    let build = workshop.join("build");
    let prefix_path = format!("-DCMAKE_PREFIX_PATH={}", prefix.display());
    said_by(Command::new(&cmake).arg("-S").arg(&workshop).arg("-B").arg(&build).arg(prefix_path));
    said_by(Command::new(&cmake).arg("--build").arg(&build));
    for (name, arguments, is_shared) in
        [("shared", &["60", "60"][..], true), ("static", &["60", "60"], false), ("hello", &[], true)]
    {
        let program = build.join(name);
        // What CMake builds finds the library where it was found.
        streams(&program, None, arguments);
        assert_eq!(needed_by(&program).contains("librheed_stream.so.1"), is_shared, "{name}");
    }
}

#[test]
fn an_unpacked_archive_serves_cpp17_and_clang() {
    if !is_command("pkg-config") || !is_command("clang") {
        return skip("no pkg-config or no clang");
    }
    let workshop = workshop("clang");
    let prefix = unpacked(&workshop);
    for (compiler, source) in [("c++", "hello.cpp"), ("clang++", "hello.cpp"), ("clang", "push_chunk.c")] {
        let program = workshop.join(compiler);
        build_by_pkg_config(compiler, &prefix, "--cflags --libs", &example(&prefix, source), &program);
        let arguments: &[&str] = if source == "push_chunk.c" { &["2"] } else { &[] };
        streams(&program, Some(&prefix.join("lib")), arguments);
    }
}

/// A program's own zstd, and of Rust's names one that every static library in Rust has.
const OWN_ZSTD: &str = "int ZSTD_compress(void) { return 42; }\nint ZSTD_compressStream2(void) { return 43; }\n\
                        int rust_eh_personality(void) { return 44; }\n";
const USES_OWN_ZSTD: &str = "#include <stdlib.h>\n\
    int ZSTD_compress(void);\nint ZSTD_compressStream2(void);\nint rust_eh_personality(void);\n\
    __attribute__((constructor)) static void check(void)\n\
    {\n    if (ZSTD_compress() != 42 || ZSTD_compressStream2() != 43 || rust_eh_personality() != 44) abort();\n}\n";

#[test]
fn the_static_library_takes_no_name_from_a_program_that_has_its_own_zstd() {
    let workshop = workshop("own zstd");
    let prefix = unpacked(&workshop);
    let library = prefix.join("lib/librheed_stream.a");
    let listed = said_by(Command::new("nm").args(["--extern-only", "--defined-only", "--format=posix"]).arg(&library));
    // Above them nm names the object.
    let taken = listed.lines().filter(|line| !line.ends_with("]:")).filter_map(|line| Some(line.split_once(' ')?.0));
    let promised = support::promised::listed("abi/symbols.txt");
    assert_eq!(taken.collect::<BTreeSet<_>>(), promised.iter().map(|line| line[0].as_str()).collect());

    for (name, text) in [("own.c", OWN_ZSTD), ("uses.c", USES_OWN_ZSTD)] {
        fs::write(workshop.join(name), text).unwrap();
    }
    said_by(Command::new("cc").args(["-c", "own.c"]).current_dir(&workshop));
    said_by(Command::new("ar").args(["rcs", "libzstd.a", "own.o"]).current_dir(&workshop));
    let told = fs::read_to_string(prefix.join("lib/pkgconfig/rheed_stream.pc")).unwrap();
    let system = told.lines().find_map(|line| line.strip_prefix("Libs.private: ")).unwrap();
    for (name, compiler, flags) in [
        ("plain", "cc", &[][..]),
        ("sections", "cc", &["-Wl,--gc-sections"]),
        ("lto", "cc", &["-flto"]),
        ("clang", "clang", &[]),
        ("lld", "clang", &["-fuse-ld=lld", "-Wl,--gc-sections"]),
    ] {
        let linker = if name == "lld" { "ld.lld" } else { compiler };
        if !is_command(compiler) || !is_command(linker) {
            skip(&format!("no {compiler} or no {linker}"));
            continue;
        }
        let program = workshop.join(name);
        let mut link = Command::new(compiler);
        link.args(["-std=c99", "-O2", "-I"]).arg(prefix.join("include")).args(flags).arg("-o").arg(&program);
        link.arg(example(&prefix, "push_chunk.c")).arg("uses.c").arg(&library).arg("libzstd.a").args(system.split(' '));
        said_by(link.current_dir(&workshop));
        streams(&program, None, &["2"]);
    }
}

#[test]
fn linkers_of_the_oldest_systems_know_every_relocation_of_the_static_library() {
    if cfg!(not(target_arch = "x86_64")) {
        return skip("only x86-64 has got new relocations since");
    }
    let library = unpacked(&workshop("relocations")).join("lib/librheed_stream.a");
    let told = said_by(Command::new("readelf").args(["--relocs", "--wide"]).arg(library));
    let kinds: BTreeSet<&str> = told.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    let kinds: BTreeSet<&str> = kinds.into_iter().filter(|kind| kind.starts_with("R_X86_64_")).collect();
    assert!(kinds.contains("R_X86_64_GOTPCREL"), "{kinds:?}");
    let newer: Vec<&&str> = kinds.iter().filter(|kind| kind.ends_with("GOTPCRELX")).collect();
    assert!(newer.is_empty(), "binutils knows them since 2.26: {newer:?}");
}

#[test]
fn the_library_runs_with_the_glibc_that_the_page_promises() {
    let workshop = workshop("glibc");
    let library = unpacked(&workshop).join("lib/librheed_stream.so.1");
    let page = fs::read_to_string(root().join("docs/packages.md")).unwrap();
    let (_, promised) = page.split_once("They run with glibc ").expect("docs/packages.md says with which glibc they run");
    let numbers: Vec<u32> = promised.split(['.', ' ']).take(2).map(|number| number.parse().unwrap()).collect();
    let promised = (numbers[0], numbers[1]);
    assert!(glibc_of(&library) <= promised, "it asks for {:?}", glibc_of(&library));
    // Every one of them has been there since then.
    let of_then = ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "libgcc_s.so.1"];
    for needed in needed_by(&library) {
        assert!(of_then.contains(&needed.as_str()) || needed.starts_with("ld-linux-"), "it needs {needed}");
    }
    let control = said_by(&mut control_of(&packed().join(debian("librheed-stream1")), "Depends"));
    assert!(control.contains(&format!("libc6 (>= {}.{})", promised.0, promised.1)), "{control}");
}

#[test]
fn no_package_tells_of_the_computer_that_made_it() {
    let workshop = workshop("paths");
    let prefix = unpacked(&workshop);
    let home = std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{}/.cargo", std::env::var("HOME").unwrap()));
    let folders = [root().display().to_string(), home];
    for file in files_below(&prefix) {
        let bytes = fs::read(&file).unwrap();
        for folder in &folders {
            let is_told = bytes.windows(folder.len()).any(|window| window == folder.as_bytes());
            assert!(!is_told, "{} tells of {folder}", file.display());
        }
    }
}

#[test]
fn the_checksums_hold_and_whoever_packs_again_makes_the_same_bytes() {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let file = format!("rheed-stream-{}-{target}.sha256", version());
    let sums = || fs::read_to_string(packed().join(&file)).unwrap();
    let checked = said_by(Command::new("sha256sum").args(["--check", "--strict", &file]).current_dir(packed()));
    for end in [".tar.gz", ".cdx.json", ".deb"] {
        assert!(checked.lines().any(|line| line.ends_with(&format!("{end}: OK"))), "{end}: {checked}");
    }
    let before = sums();
    // Of an earlier version, which is not to be taken for this one; and of another target, which is packed when it is packed.
    let earlier =
        [format!("rheed-stream-0.0.9-{target}-glibc2.36.tar.gz"), debian("librheed-stream-dev").replace(version(), "0.0.9")];
    let other = packed().join("rheed-stream-0.0.9-riscv64gc-unknown-linux-gnu.tar.gz");
    for path in earlier.iter().map(|name| packed().join(name)).chain([other.clone()]) {
        fs::write(path, "").unwrap();
    }
    let mut again = xtask(&["dist"]);
    again.env("TZ", "Pacific/Auckland").env("LC_ALL", "de_DE.UTF-8").env("USER", "somebody");
    // Who builds for the own computer alone has these set.
    let target = target.replace('-', "_");
    for flags in ["CFLAGS".to_owned(), "TARGET_CFLAGS".to_owned(), "CPPFLAGS".to_owned(), format!("CFLAGS_{target}")] {
        again.env(flags, "-march=native -O0");
    }
    for flags in ["RUSTFLAGS".to_owned(), format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase())] {
        again.env(flags, "-Ctarget-cpu=native");
    }
    again.env("CARGO_PROFILE_RELEASE_LTO", "off").env("ZSTD_SYS_USE_PKG_CONFIG", "1");
    said_by(&mut again);
    assert_eq!(sums(), before);
    assert!(!earlier.iter().any(|name| packed().join(name).exists()), "what was packed earlier is still there");
    fs::remove_file(other).expect("another target's package stays");
}

#[test]
fn the_bill_of_materials_is_cyclonedx_and_names_what_is_in_the_library() {
    let bill = fs::read_to_string(package(".cdx.json")).unwrap();
    let bill: Value = serde_json::from_str(&bill).unwrap();
    let components = bill["components"].as_array().unwrap();
    let find = |name: &str| components.iter().find(|component| component["name"] == name);
    for inside in ["tokio", "rustls", "ring", "zstd-sys", "reqwest", "rust-std"] {
        assert!(find(inside).is_some(), "{inside} is missing");
    }
    // Of the receiver, of tests, of those that build.
    for outside in ["axum", "proptest", "cc", "serde_derive", "cbindgen", "rheed-stream-shipped"] {
        assert!(find(outside).is_none(), "{outside} is not in the library");
    }
    assert_eq!(find("zstd-sys").unwrap()["components"][0]["name"], "zstd");
    let workshop = workshop("bill");
    let lib = unpacked(&workshop).join("lib");
    for library in bill["metadata"]["component"]["components"].as_array().unwrap() {
        let sum = said_by(Command::new("sha256sum").arg(lib.join(library["name"].as_str().unwrap())));
        assert!(sum.starts_with(library["hashes"][0]["content"].as_str().unwrap()), "{library}: {sum}");
    }
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let mut references: BTreeSet<&str> = BTreeSet::from([bill["metadata"]["component"]["bom-ref"].as_str().unwrap()]);
    for component in components {
        let text = |key: &str| component[key].as_str().unwrap_or_else(|| panic!("{key} is missing: {component}"));
        assert!(references.insert(text("bom-ref")), "twice: {component}");
        if text("purl").starts_with("pkg:cargo/") {
            assert_eq!(text("purl"), format!("pkg:cargo/{}@{}", text("name"), text("version").replace('+', "%2B")));
            let sum = component["hashes"][0]["content"].as_str().unwrap();
            let entry = format!("name = \"{}\"\nversion = \"{}\"", text("name"), text("version"));
            let (_, entry) = lock.split_once(&entry).unwrap();
            assert!(entry.split("\n\n").next().unwrap().contains(sum), "{component}");
        }
    }
    for dependency in bill["dependencies"].as_array().unwrap() {
        let needs = dependency["dependsOn"].as_array().unwrap().iter().chain([&dependency["ref"]]);
        for reference in needs.map(|reference| reference.as_str().unwrap()) {
            assert!(references.contains(reference), "{reference} is no component");
        }
    }

    let Some(python) = std::env::var_os("RHEED_TEST_PYTHON") else {
        return skip("the bill against CycloneDX's schema: RHEED_TEST_PYTHON names no Python");
    };
    said_by(Command::new(python).arg(root().join("tests/python/check_bill.py")).arg(package(".cdx.json")));
}

#[test]
fn the_licence_of_everything_in_the_library_goes_along() {
    let workshop = workshop("licences");
    let papers = unpacked(&workshop).join("share/doc/rheed-stream");
    let others = fs::read_to_string(papers.join("THIRD-PARTY.md")).unwrap();
    let bill: Value = serde_json::from_str(&fs::read_to_string(package(".cdx.json")).unwrap()).unwrap();
    for component in bill["components"].as_array().unwrap() {
        let (name, version) = (component["name"].as_str().unwrap(), component["version"].as_str().unwrap());
        if name != "rust-std" {
            let row = others.lines().find(|line| line.starts_with(&format!("| {name} | {version} |")));
            assert!(row.is_some_and(|row| row.contains("](#text-")), "{name} {version} has no text");
        }
    }
    // Of the C code, and of the assembler.
    for file in ["zstd/LICENSE", "LICENSE-BoringSSL", "third_party/fiat/LICENSE"] {
        assert!(others.contains(&format!(": {file}")), "{file} is missing");
    }
    assert!(others.contains("Copyright (c) Meta Platforms, Inc. and affiliates"));
    for file in ["LICENSE-MIT", "LICENSE-APACHE", "rust-standard-library.html"] {
        assert!(papers.join(file).metadata().unwrap().len() > 500, "{file}");
    }
}

/// A Debian package, unpacked beside others.
fn unpacked_debian(workshop: &Path, package: &str) -> PathBuf {
    let to = workshop.join(package);
    said_by(Command::new("dpkg-deb").arg("--extract").arg(packed().join(debian(package))).arg(&to));
    to.join("usr")
}

#[test]
fn a_debian_package_keeps_every_licence_in_the_one_paper_that_small_systems_keep() {
    if !is_command("dpkg-deb") {
        return skip("no dpkg-deb");
    }
    let workshop = workshop("copyright");
    let papers = unpacked(&workshop).join("share/doc/rheed-stream");
    let read = |name: &str| fs::read_to_string(papers.join(name)).unwrap();
    let notices = read("rust-standard-library.html");
    // The standard library's have to be there as text: its words, and not what the page is made of.
    let texts: Vec<&str> = notices.split("<pre>").skip(1).map(|rest| rest.split("</pre>").next().unwrap()).collect();
    assert!(texts.len() > 50, "{}", texts.len());
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    for package in PACKAGES {
        let copyright = unpacked_debian(&workshop, package).join("share/doc").join(package).join("copyright");
        let copyright = fs::read_to_string(copyright).unwrap();
        for paper in ["LICENSE-MIT", "THIRD-PARTY.md"] {
            assert!(copyright.contains(read(paper).trim_end()), "{package}: {paper} is missing");
        }
        assert!(copyright.contains("/usr/share/common-licenses/Apache-2.0"));
        let here = words(&copyright);
        for text in &texts {
            let text = text.replace("&#34;", "\"").replace("&#39;", "'").replace("&#60;", "<").replace("&#62;", ">");
            assert!(here.contains(&words(&text)), "{package}: this is missing: {text}");
        }
    }

    // Packages of two architectures share the file.
    let crates = |architecture: &str| {
        let mut tree = Command::new(env!("CARGO"));
        tree.args([
            "tree",
            "--locked",
            "--package",
            "rheed-stream-shipped",
            "--edges",
            "normal,no-proc-macro",
            "--prefix",
            "none",
        ]);
        let told = said_by(tree.args(["--target", &format!("{architecture}-unknown-linux-gnu")]).current_dir(root()));
        told.lines().map(str::to_owned).collect::<BTreeSet<String>>()
    };
    assert_eq!(crates("x86_64"), crates("aarch64"));
}

#[test]
fn every_link_of_a_packed_page_leads_to_what_is_packed() {
    let workshop = workshop("links");
    check_links(&unpacked(&workshop));
    if !is_command("dpkg-deb") {
        return skip("no dpkg-deb");
    }
    check_links(&unpacked_debian(&workshop, "librheed-stream-dev"));
}

/// Of every page below a prefix; none leads out of it.
#[track_caller]
fn check_links(prefix: &Path) {
    let prefix = prefix.canonicalize().unwrap();
    let (mut checked, mut dead) = (0, Vec::new());
    for page in files_below(&prefix).into_iter().filter(|file| file.extension().is_some_and(|end| end == "md")) {
        let text = fs::read_to_string(&page).unwrap();
        // Every second piece is a program, or somebody else's text.
        for prose in text.split("```").step_by(2) {
            let targets = prose.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap());
            for target in targets.filter(|target| !target.is_empty() && !target.contains("://")) {
                checked += 1;
                let file = page.parent().unwrap().join(target).canonicalize();
                if !file.is_ok_and(|file| file.starts_with(&prefix)) {
                    dead.push(format!("{}: {target}", page.display()));
                }
            }
        }
    }
    assert!(checked > 50, "{checked} links in {}", prefix.display());
    assert!(dead.is_empty(), "{dead:#?}");
}

/// The file of a Debian package.
fn debian(package: &str) -> String {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    format!("{package}_{}-1_{architecture}.deb", version())
}

fn control_of(package: &Path, field: &str) -> Command {
    let mut command = Command::new("dpkg-deb");
    command.arg("--field").arg(package).arg(field);
    command
}

/// The two packages installed in this system; removed when it is dropped.
struct Installed;

const PACKAGES: [&str; 2] = ["librheed-stream1", "librheed-stream-dev"];

impl Installed {
    fn install() -> Installed {
        let installed = Installed;
        said_by(apt("install").args(PACKAGES.map(|package| packed().join(debian(package)))));
        installed
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = apt("purge").args(PACKAGES).output();
    }
}

/// Without the network: what the packages need is there wherever C is compiled.
fn apt(what: &str) -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args([what, "--yes", "--quiet", "--no-install-recommends"]);
    // Somebody else may be installing.
    apt.args(["--option", "DPkg::Lock::Timeout=600", "--allow-downgrades"]);
    apt
}

#[test]
fn the_debian_packages_install_serve_programs_and_leave_nothing() {
    if !is_command("apt-get") || !is_command("pkg-config") {
        return skip("no apt-get or no pkg-config");
    }
    if said_by(Command::new("id").arg("-u")).trim() != "0" {
        return skip("Debian packages are installed by root");
    }
    let is_known = |package: &str| Command::new("dpkg").args(["--status", package]).output().unwrap().status.success();
    if PACKAGES.into_iter().any(is_known) {
        return skip("the library is installed on this computer, and stays as it is");
    }
    let workshop = workshop("debian");
    // Another clone of the project may test the same on this computer.
    let lock = fs::File::create(std::env::temp_dir().join("rheed-stream-debian-test")).unwrap();
    lock.lock().unwrap();
    let installed = Installed::install();

    // Nothing but the library's name.
    let source = root().join("examples_c/push_chunk.c");
    let program = workshop.join("program");
    said_by(Command::new("cc").args(["-std=c99"]).args(STRICT).arg(&source).arg("-o").arg(&program).arg("-lrheed_stream"));
    streams(&program, None, &["2"]);
    assert_eq!(said_by(Command::new("pkg-config").args(["--modversion", "rheed_stream"])).trim(), version());
    // As those folders are everybody's, there is nothing to tell compilers.
    assert_eq!(said_by(Command::new("pkg-config").args(["--cflags", "--libs", "rheed_stream"])).trim(), "-lrheed_stream");
    let within = workshop.join("static");
    let flags = said_by(Command::new("pkg-config").args(["--cflags", "--libs", "--static", "rheed_stream"]));
    let flags = flags.replace("-lrheed_stream", "-l:librheed_stream.a");
    said_by(Command::new("cc").arg(&source).arg("-o").arg(&within).args(flags.split_whitespace()));
    streams(&within, None, &["2"]);
    assert!(!needed_by(&within).contains("librheed_stream.so.1"));
    if let Ok(cmake) = std::env::var("RHEED_TEST_CMAKE") {
        let lists = "cmake_minimum_required(VERSION 3.16)\nproject(plain C)\nfind_package(rheed_stream REQUIRED)\n\
                     add_executable(plain push_chunk.c)\ntarget_link_libraries(plain PRIVATE rheed_stream::rheed_stream)\n";
        fs::copy(&source, workshop.join("push_chunk.c")).unwrap();
        fs::write(workshop.join("CMakeLists.txt"), lists).unwrap();
        // Also by way of the link that /lib is.
        let by_link = format!("/lib/{}-linux-gnu/cmake/rheed_stream", std::env::consts::ARCH);
        for (build, place) in [("found", None), ("by the link", Some(format!("-Drheed_stream_DIR={by_link}")))] {
            let build = workshop.join(build);
            said_by(Command::new(&cmake).arg("-S").arg(&workshop).arg("-B").arg(&build).args(place));
            said_by(Command::new(&cmake).arg("--build").arg(&build));
            streams(&build.join("plain"), None, &["2"]);
        }
    }
    assert!(said_by(Command::new("/sbin/ldconfig").arg("-p")).contains("librheed_stream.so.1"), "ldconfig was not told");
    // What was unpacked is what was packed; and who packages a program is told which package it needs.
    let sums = said_by(Command::new("dpkg-query").args(["--control-show", PACKAGES[0], "md5sums"]));
    assert!(sums.contains("/librheed_stream.so.1\n"), "{sums}");
    assert_eq!(said_by(Command::new("dpkg").arg("--verify").args(PACKAGES)), "");
    if is_command("dpkg-shlibdeps") {
        fs::create_dir_all(workshop.join("debian")).unwrap();
        fs::write(workshop.join("debian/control"), "Source: camera\n\nPackage: camera\nArchitecture: any\n").unwrap();
        let told = said_by(Command::new("dpkg-shlibdeps").arg("-O").arg(&program).current_dir(&workshop));
        assert!(told.contains(&format!("librheed-stream1 (>= {})", version())), "{told}");
    }

    let files = said_by(Command::new("dpkg").arg("--listfiles").args(PACKAGES));
    let files: Vec<&Path> = files.lines().map(Path::new).filter(|file| file.is_file()).collect();
    assert!(files.len() > 15, "{files:?}");
    drop(installed);
    let left: Vec<&&Path> = files.iter().filter(|file| file.exists()).collect();
    assert!(left.is_empty() && !PACKAGES.into_iter().any(is_known), "{left:?}");
}
