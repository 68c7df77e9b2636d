//! `cargo xtask demo`: a camera's program, a receiver, and a look at what arrived.

use crate::cargo::{self, DebugBuild};
use crate::install;
use crate::kit::Venv;
use crate::receiver::Receiver;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Streams for that long. All that it makes lies in a folder of its own under target/demo.
pub fn run(root: &Path, length: Duration) -> Result<()> {
    let venv = Venv::complete(root);
    let built = cargo::build_to_run(root)?;
    let folder = root.join("target/demo").join(now()?);
    fs::create_dir_all(&folder)?;
    let program = compile(root, &built, &folder)?;

    let received = folder.join("received");
    let receiver = Receiver::start(&built.receiver, &received, &[], None)?;
    println!("A receiver listens on {}, in place of the service.", receiver.url);
    println!("examples_c/camera_callback.c streams {} s of simulated RHEED to it:\n", length.as_secs());
    let pushed = folder.join("pushed.u8");
    let status = Command::new(program)
        .args(["--seconds", &length.as_secs().to_string(), "proxy=none"])
        .arg(format!("spool_dir={}", folder.join("spool").display()))
        .env("AS_API_ENDPOINT", &receiver.url)
        .env("AS_API_KEY", &receiver.key)
        .env("RHEED_WITNESS", &pushed)
        .status()?;
    ensure!(status.success(), "the program ended with {status}: not all frames were confirmed");

    println!();
    let picture = folder.join("rheed.png");
    match venv {
        Ok(venv) => {
            let look = root.join("xtask/demo/look.py");
            let status = Command::new(venv.python()).arg(look).args([&received, &pushed, &picture]).status()?;
            ensure!(status.success(), "what was received is not what was pushed");
            fs::remove_file(&pushed)?;
            println!("\nthe stream   {}   (a Zarr group)", short(&stream_folder(&received)?));
            println!("a picture    {}", short(&picture));
        }
        Err(error) => {
            println!("All frames were confirmed. They were not read back, and no picture was drawn: no Python packages.");
            println!("{error:#}");
            println!("\nthe stream   {}   (a Zarr group)", short(&stream_folder(&received)?));
            println!("pushed       {}   (the same frames, raw)", short(&pushed));
        }
    }
    println!("\nTo stream a camera of your own, begin with examples_c/camera_callback.c; README.md says how to link it.");
    Ok(())
}

/// Against an installed library, as a user would.
fn compile(root: &Path, built: &DebugBuild, folder: &Path) -> Result<PathBuf> {
    let installed = root.join("target/demo/installed");
    let artefacts = built.shared.parent().context("a file lies in a folder")?;
    install::install(root, &installed, artefacts).map_err(anyhow::Error::msg)?;
    let program = folder.join("camera_callback");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c99", "-O2", "-o"]).arg(&program);
    gcc.arg(root.join("examples_c/camera_callback.c"));
    gcc.arg(root.join("xtask/demo/witness.c")).arg("-Wl,--wrap=rheed_push");
    gcc.arg("-I").arg(installed.join("include"));
    gcc.arg("-L").arg(installed.join("lib")).arg(format!("-Wl,-rpath,{}", installed.join("lib").display()));
    gcc.args(["-lrheed_stream", "-lm", "-pthread"]);
    ensure!(gcc.status().context("gcc")?.success(), "gcc does not compile the program");
    Ok(program)
}

/// The one stream's folder.
fn stream_folder(received: &Path) -> Result<PathBuf> {
    let mut folders = fs::read_dir(received)?.filter_map(|entry| Some(entry.ok()?.path()));
    folders.find(|folder| folder.join("zarr.json").exists()).context("the receiver holds no stream")
}

/// Local time, for a folder's name.
fn now() -> Result<String> {
    let date = Command::new("date").arg("+%Y-%m-%d_%H-%M-%S").output().context("date")?;
    Ok(String::from_utf8(date.stdout)?.trim().to_owned())
}

/// A path as it can be typed here.
fn short(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
