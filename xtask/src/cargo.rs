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
        // With a target, build scripts are built without these flags, and none of it replaces what `cargo build` made.
        cargo.args(["rustc", "--package", "rheed-stream-shipped", "--lib", "--release", "--target", &host()?]);
        cargo.env("CARGO_ENCODED_RUSTFLAGS", nameless_paths(root)?.join("\x1f"));
        linked = for_old_systems(root);
    }
    let files = build_told(&mut cargo, &linked)?;
    let shipped = root.join("target/shipped");
    fs::create_dir_all(&shipped)?;
    for name in ["librheed_stream.so", "librheed_stream.a"] {
        fs::copy(named(&files, &name.replace('.', "_shipped."))?, shipped.join(name))?;
    }
    if !debug {
        // What is for debuggers is no use without our sources, and names the folders that the C parts were compiled in.
        let mut strip = Command::new("strip");
        strip.args(["--strip-debug", "--enable-deterministic-archives"]).arg(shipped.join("librheed_stream.a"));
        ensure!(strip.status().context("strip")?.success(), "strip does not take the static library");
    }
    Ok(shipped)
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

/// What keeps this computer's folders out of a library, where a panic's place would name them: the user's flags, and these.
pub fn nameless_paths(root: &Path) -> Result<Vec<String>> {
    let own = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut flags: Vec<String> = own.split_whitespace().map(str::to_owned).collect();
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
