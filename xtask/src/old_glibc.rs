//! Lets a library that is linked on a new Linux run on an old one.
//!
//! A linker notes with each symbol the version that this computer's glibc gives it, and an older glibc then refuses the library.
//! So the linker is shown libraries that know only what glibc 2.17 knew (of 2012: Red Hat Enterprise Linux 7, Ubuntu 14.04,
//! Debian 8), the oldest that Rust's standard library runs on. They hold names and no code: each name of this computer's glibc with
//! the newest version that it had in 2.17. What is newer is not found, and linking fails if it is really needed.

use crate::said::said_by;
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The glibc that is enough.
pub const OLDEST: Version = Version(2, 17, 0);

/// glibc's libraries, by the names that programs ask for, and those under which a linker looks for them.
const LIBRARIES: [(&str, &str); 5] = [
    ("libc.so.6", "libc.so"),
    ("libm.so.6", "libm.so"),
    ("libpthread.so.0", "libpthread.so"),
    ("libdl.so.2", "libdl.so"),
    // Asked for by libc.so.
    (LOADER, LOADER),
];

#[cfg(target_arch = "aarch64")]
const LOADER: &str = "ld-linux-aarch64.so.1";
#[cfg(not(target_arch = "aarch64"))]
const LOADER: &str = "ld-linux-x86-64.so.2";

/// Functions that each program had from libc_nonshared.a, some of them until 2.33, and in them calls that every glibc takes: with the
/// layout of `struct stat` as a number, and with the module that is meant.
const NONSHARED: &str = r#"
#if defined __x86_64__
enum { LAYOUT = 1 };
#else
enum { LAYOUT = 0 };
#endif
struct stat64;
extern int __xstat64(int, const char *, struct stat64 *);
extern int __lxstat64(int, const char *, struct stat64 *);
extern int __fxstat64(int, int, struct stat64 *);
extern int __fxstatat64(int, int, const char *, struct stat64 *, int);
extern int __cxa_atexit(void (*)(void *), void *, void *);
extern int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);
extern void *__dso_handle __attribute__((visibility("hidden")));
#define HERE __attribute__((visibility("hidden")))
HERE int stat64(const char *path, struct stat64 *found) { return __xstat64(LAYOUT, path, found); }
HERE int lstat64(const char *path, struct stat64 *found) { return __lxstat64(LAYOUT, path, found); }
HERE int fstat64(int file, struct stat64 *found) { return __fxstat64(LAYOUT, file, found); }
HERE int fstatat64(int folder, const char *path, struct stat64 *found, int flags)
{
    return __fxstatat64(LAYOUT, folder, path, found, flags);
}
HERE int atexit(void (*at_end)(void)) { return __cxa_atexit((void (*)(void *))at_end, 0, __dso_handle); }
HERE int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    return __register_atfork(prepare, parent, child, __dso_handle);
}
"#;

/// Of a library; `2.2.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32, u32, u32);

/// With which the libraries for threads, clocks and loading became one with libc.so.6.
const MERGED: Version = Version(2, 34, 0);

impl Version {
    /// `GLIBC_2.2.5`, and nothing that is named otherwise.
    pub fn parse(name: &str) -> Option<Version> {
        let mut numbers = name.strip_prefix("GLIBC_")?.split('.').map(|number| number.parse().ok());
        Some(Version(numbers.next()??, numbers.next()??, numbers.next().unwrap_or(Some(0))?))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)?;
        if self.2 > 0 { write!(f, ".{}", self.2) } else { Ok(()) }
    }
}

/// Makes the libraries in `folder`. A linker that looks there first (`-L`) links for `OLDEST`.
pub fn make(folder: &Path) -> Result<()> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    let mut libraries: BTreeMap<&str, BTreeMap<Version, BTreeSet<Symbol>>> = BTreeMap::new();
    for (name, (version, symbol)) in newest_that_are_old_enough()? {
        libraries.entry(home(&name, symbol.from)).or_default().entry(version).or_default().insert(Symbol { name, ..symbol });
    }
    for (library, for_linkers) in LIBRARIES {
        let versions = libraries.remove(library).unwrap_or_default();
        let file = if library == "libc.so.6" { library } else { for_linkers };
        link(folder, library, &versions, file)?;
    }
    // As in glibc itself, libc.so is a text that names what else belongs to it.
    let object = folder.join("nonshared.o");
    let source = folder.join("nonshared.c");
    fs::write(&source, NONSHARED)?;
    said_by(compiler().args(["-O2", "-fPIC", "-w", "-c"]).arg(&source).arg("-o").arg(&object))?;
    fs::write(folder.join("libc.so"), format!("GROUP ( libc.so.6 nonshared.o AS_NEEDED ( {LOADER} ) )\n"))?;
    Ok(())
}

/// A name that a library gives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Symbol {
    name: String,
    is_function: bool,
    /// The library of this computer that has it.
    from: &'static str,
}

/// Where 2.17 had it: since 2.34 libc.so.6 has everything.
fn home(name: &str, from: &'static str) -> &'static str {
    match name {
        _ if from != "libc.so.6" => from,
        _ if name.starts_with("pthread_") || name.starts_with("sem_") => "libpthread.so.0",
        "dlopen" | "dlmopen" | "dlclose" | "dlsym" | "dlvsym" | "dlerror" | "dladdr" | "dladdr1" | "dlinfo" => "libdl.so.2",
        _ => from,
    }
}

/// Every name that glibc had then, with its newest version of then. A name that no version is the default of was withdrawn: it is there
/// for programs that were linked long ago.
fn newest_that_are_old_enough() -> Result<BTreeMap<String, (Version, Symbol)>> {
    let mut newest: BTreeMap<String, (Version, Symbol)> = BTreeMap::new();
    // Names by the version that linkers take today.
    let mut usual = BTreeMap::new();
    for (library, _) in LIBRARIES {
        let path = said_by(compiler().arg(format!("-print-file-name={library}")))?;
        let listed = said_by(Command::new("readelf").args(["--dyn-syms", "--wide"]).arg(path.trim()))?;
        for line in listed.lines() {
            // Num: Value Size Type Bind Vis Ndx Name
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, _, _, kind @ ("FUNC" | "IFUNC" | "OBJECT"), _, "DEFAULT", index, name, ..] = words[..] else { continue };
            let Some((name, version)) = name.split_once('@').filter(|_| index != "UND") else { continue };
            if let Some(version) = version.strip_prefix('@') {
                usual.insert(name.to_owned(), Version::parse(version));
            }
            let version = Version::parse(version.trim_start_matches('@')).filter(|version| *version <= OLDEST);
            let Some(version) = version.filter(|version| newest.get(name).is_none_or(|(known, _)| known < version)) else {
                continue;
            };
            let symbol = Symbol { name: name.to_owned(), is_function: kind != "OBJECT", from: library };
            newest.insert(name.to_owned(), (version, symbol));
        }
    }
    // What came to libc.so.6 with 2.34 was elsewhere before: in librt, libutil, libanl, if it is not known where.
    let came_from_elsewhere = |name: &str, from| usual[name] == Some(MERGED) && home(name, from) == "libc.so.6";
    newest.retain(|name, (_, symbol)| usual.contains_key(name) && !came_from_elsewhere(name, symbol.from));
    ensure!(newest.len() > 1000, "this computer's C library is not glibc, or an unknown one: {} names", newest.len());
    Ok(newest)
}

/// A shared library of names.
fn link(folder: &Path, library: &str, versions: &BTreeMap<Version, BTreeSet<Symbol>>, file: &str) -> Result<()> {
    let (mut assembler, mut script) = (String::from(".text\n"), String::new());
    for (version, symbols) in versions {
        writeln!(script, "GLIBC_{version} {{")?;
        for Symbol { name, is_function, .. } in symbols {
            let kind = if *is_function { "function" } else { "object" };
            writeln!(assembler, ".globl {name}\n.type {name}, %{kind}\n{name}: .byte 0\n.size {name}, 1")?;
            writeln!(script, "    {name};")?;
        }
        writeln!(script, "}};")?;
    }
    let (source, map) = (folder.join(format!("{library}.s")), folder.join(format!("{library}.map")));
    fs::write(&source, assembler)?;
    fs::write(&map, script)?;
    let mut link = compiler();
    link.args(["-shared", "-nostdlib", "-Xlinker", "-soname", "-Xlinker", library, "-Xlinker", "--version-script", "-Xlinker"]);
    said_by(link.arg(map).arg(source).arg("-o").arg(folder.join(file)))?;
    Ok(())
}

/// As rustc calls it.
fn compiler() -> Command {
    Command::new("cc")
}

/// The glibc that a library needs, by the versions that it asks for.
pub fn needed(library: &Path) -> Result<Version> {
    let asked = said_by(Command::new("readelf").args(["--version-info", "--wide"]).arg(library))?;
    let mut newest = None;
    for name in asked.split_whitespace().filter(|word| word.starts_with("GLIBC_")) {
        // GLIBC_PRIVATE, of one build of glibc; GLIBC_ABI_DT_RELR, of a way to relocate.
        let version = Version::parse(name);
        let version = version.with_context(|| format!("{} asks for {name}, which is no version of glibc", library.display()))?;
        newest = newest.max(Some(version));
    }
    newest.with_context(|| format!("{} asks for no version of glibc", library.display()))
}
