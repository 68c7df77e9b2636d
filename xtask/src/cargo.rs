//! Asks cargo to build, and learns from its messages where the files are.

use crate::old_glibc;
use crate::said::said_by;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the tests and the demonstration run, built without optimizing our own code.
pub struct DebugBuild {
    /// `librheed_stream.so`
    pub shared: PathBuf,
    /// `rheed-receiver`
    pub receiver: PathBuf,
}

/// The cargo that runs us, in the project's root.
pub fn command(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    // What `cargo run` tells xtask about itself: build scripts that look at these (ring's) would run again each time.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// The features and packages are those of `cargo xtask test`, so that nothing is built twice.
pub fn build_to_run(root: &Path) -> Result<DebugBuild> {
    let files = build(command(root).args(["build", "--workspace", "--exclude", "rheed-stream-shipped", "--all-features"]))?;
    Ok(DebugBuild { shared: named(&files, "librheed_stream.so")?, receiver: named(&files, "rheed-receiver")? })
}

/// The folder of the library, as it is to be shipped: `librheed_stream.so` and `.a`.
///
/// From a package of its own: beside an rlib, which the tests need, cargo leaves out the optimization across crates (`lto`).
pub fn build_to_ship(root: &Path, debug: bool) -> Result<PathBuf> {
    let mut cargo = command(root);
    let mut linked = Vec::new();
    if debug {
        cargo.args(["build", "--package", "rheed-stream-shipped"]);
    } else {
        to_ship(&mut cargo, root, &host()?)?;
        linked = for_old_systems(root);
    }
    let files = build_told(&mut cargo, &linked)?;
    let shipped = root.join("target/shipped");
    fs::create_dir_all(&shipped)?;
    for name in ["librheed_stream.so", "librheed_stream.a"] {
        fs::copy(named(&files, &name.replace('.', "_shipped."))?, shipped.join(name))?;
    }
    Ok(shipped)
}

/// Tells cargo to build the library as it is shipped, for a target.
///
/// The library is to run on every processor of its kind, and to be the same whoever builds it. So what the environment tells compilers
/// is not heard, and C compilers are told the oldest processor, as theirs may be a newer one by default (Red Hat's is).
pub fn to_ship(cargo: &mut Command, root: &Path, target: &str) -> Result<()> {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(changes_what_is_built)) {
        cargo.env_remove(name);
    }
    let oldest = match target.split('-').next() {
        // And linkers from before 2016 do not know the relocations that newer assemblers choose. Nothing unwinds through C, so that
        // tables for it are of no use.
        Some("x86_64") if target.contains("-linux-") => {
            "-march=x86-64 -Wa,-mrelax-relocations=no -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-align-functions -fno-align-jumps"
        }
        Some("x86_64") => "-march=x86-64",
        // As Rust has it.
        Some("i686") => "-march=pentium4",
        Some("aarch64") => "-march=armv8-a",
        _ => "",
    };
    cargo.env(format!("CFLAGS_{}", target.replace('-', "_")), oldest);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", nameless_paths(root)?.join("\x1f"));
    // With a target, build scripts are built without these flags, and none of it replaces what `cargo build` made.
    cargo.args(["rustc", "--package", "rheed-stream-shipped", "--lib", "--release", "--locked", "--target", target]);
    Ok(())
}

/// Whether a variable of the environment gives cargo, rustc, or the C compiler (crate `cc`) another opinion of the library.
fn changes_what_is_built(variable: &str) -> bool {
    const OF_C: [&str; 5] = ["ASFLAGS", "CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS"];
    // `CFLAGS`, `TARGET_CFLAGS`, `CFLAGS_x86_64_unknown_linux_gnu`.
    let bare = ["HOST_", "TARGET_"].iter().find_map(|side| variable.strip_prefix(side)).unwrap_or(variable);
    OF_C.iter().any(|flags| bare.strip_prefix(flags).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')))
        || variable.contains("RUSTFLAGS")
        || variable.starts_with("CARGO_PROFILE_")
        || ["CARGO_BUILD_TARGET", "CARGO_INCREMENTAL", "CRATE_CC_NO_DEFAULTS", "ZSTD_SYS_USE_PKG_CONFIG"].contains(&variable)
}

/// What rustc is told so that the library runs with an old glibc, too.
fn for_old_systems(root: &Path) -> Vec<String> {
    // Relative, as cargo calls rustc in the project's folder: the library is the same wherever that lies.
    const OLD_GLIBC: &str = "target/old-glibc";
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        return Vec::new();
    }
    match old_glibc::make(&root.join(OLD_GLIBC)) {
        Ok(()) => vec![format!("-Clink-arg=-L{OLD_GLIBC}"), "-Clink-arg=-Wl,-z,defs".to_owned()],
        Err(error) => {
            eprintln!("warning: the library will need this computer's glibc or a later one: {error:#}");
            Vec::new()
        }
    }
}

pub fn rustc() -> OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// This computer, as Rust names it: `x86_64-unknown-linux-gnu`.
pub fn host() -> Result<String> {
    Ok(said_by(Command::new(rustc()).args(["--print", "host-tuple"]))?.trim().to_owned())
}

/// What keeps this computer's folders out of a library, where a panic's place would name them.
fn nameless_paths(root: &Path) -> Result<Vec<String>> {
    let mut flags = Vec::new();
    let cargo_home = match std::env::var_os("CARGO_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => std::env::home_dir().context("who runs this has no home folder")?.join(".cargo"),
    };
    let mut call = |folder: &Path, name: &str| flags.push(format!("--remap-path-prefix={}={name}", folder.display()));
    call(&cargo_home, "cargo");
    // Named after the registry, and the same sources from a mirror of it are the same sources.
    for registry in fs::read_dir(cargo_home.join("registry/src")).into_iter().flatten() {
        call(&registry?.path(), "crates");
    }
    call(root, "rheed-stream");
    Ok(flags)
}

/// `rheed-receiver`, in a profile of Cargo.toml.
pub fn build_receiver(root: &Path, profile: &str) -> Result<PathBuf> {
    let arguments = ["build", "--features", "receiver", "--bin", "rheed-receiver", "--profile", profile];
    named(&build(command(root).args(arguments))?, "rheed-receiver")
}

/// Every file that was built.
pub fn build(cargo: &mut Command) -> Result<Vec<PathBuf>> {
    build_told(cargo, &[])
}

/// The same; rustc is told something besides when it makes the last of them.
fn build_told(cargo: &mut Command, rustc: &[String]) -> Result<Vec<PathBuf>> {
    cargo.arg("--message-format=json-render-diagnostics");
    if !rustc.is_empty() {
        cargo.arg("--").args(rustc);
    }
    let mut cargo = cargo.stdout(Stdio::piped()).spawn().context("cargo")?;
    let messages = BufReader::new(cargo.stdout.take().expect("stdout is piped"));
    let mut files = Vec::new();
    for message in messages.lines() {
        let message: Value = serde_json::from_str(&message?)?;
        let paths = message["filenames"].as_array().into_iter().flatten().chain([&message["executable"]]);
        files.extend(paths.filter_map(Value::as_str).map(PathBuf::from));
    }
    ensure!(cargo.wait()?.success(), "cargo could not build it");
    Ok(files)
}

/// The one of that name.
pub fn named(files: &[PathBuf], name: &str) -> Result<PathBuf> {
    let file = files.iter().find(|file| file.file_name().is_some_and(|known| known == name));
    file.cloned().with_context(|| format!("cargo built no {name}"))
}
