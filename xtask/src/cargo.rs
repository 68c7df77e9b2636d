//! Asks cargo to build, and learns from its messages where the files are.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
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
    cargo.args(["build", "--package", "rheed-stream-shipped"]);
    if !debug {
        cargo.arg("--release");
    }
    let files = build(&mut cargo)?;
    let shipped = root.join("target/shipped");
    fs::create_dir_all(&shipped)?;
    for name in ["librheed_stream.so", "librheed_stream.a"] {
        fs::copy(named(&files, &name.replace('.', "_shipped."))?, shipped.join(name))?;
    }
    Ok(shipped)
}

/// `rheed-receiver`, in a profile of Cargo.toml.
pub fn build_receiver(root: &Path, profile: &str) -> Result<PathBuf> {
    let arguments = ["build", "--features", "receiver", "--bin", "rheed-receiver", "--profile", profile];
    named(&build(command(root).args(arguments))?, "rheed-receiver")
}

/// Every file that was built.
pub fn build(cargo: &mut Command) -> Result<Vec<PathBuf>> {
    let mut cargo = cargo.arg("--message-format=json-render-diagnostics").stdout(Stdio::piped()).spawn().context("cargo")?;
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
