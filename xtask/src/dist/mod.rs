//! `cargo xtask dist`: what users install, packed into `target/dist`.
//!
//! A target's module stages a folder: the library, its headers, its build systems' files. Here it gets its papers and is packed, so
//! that the same sources, compilers and commit give the same bytes on every computer.

mod archive;
mod contents;
mod deb;
mod linux;
pub mod papers;
mod sbom;
mod third_party;
pub mod windows;

use crate::cargo;
use crate::said::said_by;
use anyhow::{Context, Result, ensure};
use contents::Contents;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is packed, and for whom.
pub struct Release {
    pub version: String,
    /// As Rust names it: `x86_64-unknown-linux-gnu`.
    pub target: String,
    /// Seconds since 1970: the commit's. Everything that is packed is of then.
    pub time: u64,
    /// The compiler.
    pub rustc: OsString,
    /// The crates that the library is made of.
    pub contents: Contents,
}

impl Release {
    fn of(root: &Path, target: &str, rustc: OsString) -> Result<Release> {
        let contents = Contents::of(root, target, &rustc)?;
        Ok(Release { version: contents.version(), target: target.to_owned(), time: commit_time(root)?, rustc, contents })
    }

    /// Of the archive and of the one folder in it.
    pub fn name(&self) -> String {
        format!("rheed-stream-{}-{}", self.version, self.target)
    }
}

/// Packs for a target, or for this computer; then tells what lies where, and answers the file of the checksums.
pub fn run(root: &Path, target: Option<&str>) -> Result<PathBuf> {
    let target = target.map_or_else(cargo::host, |target| Ok(target.to_owned()))?;
    let out = root.join("target/dist");
    fs::create_dir_all(&out)?;
    let is_windows = windows::is_one(&target);
    ensure!(is_windows || target.contains("-linux-"), "packages are made for Linux and Windows, not for {target}");
    let release = Release::of(root, &target, if is_windows { windows::rustc(&target) } else { cargo::rustc() })?;
    let made = if is_windows { pack_for_windows(root, &release, &out)? } else { linux::pack(root, &release, &out)? };
    let sums = out.join(format!("{}.sha256", release.name()));
    put(root, &sums, checksums(&made)?.as_bytes())?;
    remove_earlier(&out, &target, &made, &sums)?;
    for file in made {
        let bytes = fs::metadata(&file)?.len();
        println!("{bytes:>10} bytes  {}", file.strip_prefix(root).unwrap_or(&file).display());
    }
    println!("their SHA-256: {}", sums.strip_prefix(root).unwrap_or(&sums).display());
    Ok(sums)
}

/// Removes what was packed for this target before: of other versions, or with a newer glibc in the name.
fn remove_earlier(out: &Path, target: &str, made: &[PathBuf], sums: &Path) -> Result<()> {
    let debian = deb::architecture(target).map(|architecture| format!("_{architecture}.deb"));
    for file in archive::files_below(out)? {
        let name = file.to_string_lossy();
        let is_ours = name.starts_with("rheed-stream-") && name.contains(target);
        let is_debian = name.starts_with("librheed-stream") && debian.as_ref().is_some_and(|end| name.ends_with(end));
        let path = out.join(&file);
        if (is_ours || is_debian) && path != sums && !made.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// One folder, zipped; `out` gets it and its bill of materials.
fn pack_for_windows(root: &Path, release: &Release, out: &Path) -> Result<Vec<PathBuf>> {
    let prefix = staging(root, &release.name())?;
    windows::stage(root, &release.target, &prefix)?;
    let libraries = [prefix.join("bin").join(windows::DLL), prefix.join("lib/librheed_stream.a")];
    papers::lay(root, release, &libraries, &prefix.join(papers::FOLDER))?;
    let archive = out.join(format!("{}.zip", release.name()));
    put(root, &archive, &archive::zip(&prefix, &release.name(), release.time)?)?;
    let bill = out.join(papers::bill_name(release));
    put(root, &bill, papers::bill(release, &libraries)?.as_bytes())?;
    Ok(vec![archive, bill])
}

/// Packs for Windows, and lays out what whoever unpacks it gets, when its checksums hold: `into` becomes the zip's one folder.
pub fn as_unpacked(root: &Path, target: &str, into: &Path) -> Result<()> {
    let sums = run(root, Some(target))?;
    let mut check = Command::new("sha256sum");
    said_by(check.args(["--check", "--strict"]).arg(&sums).current_dir(root.join("target/dist")))?;
    let unpacked = into.with_extension("unpacked");
    archive::unzip(&sums.with_extension("zip"), &unpacked)?;
    let folder = sums.file_stem().context("the checksums bear the release's name")?;
    fs::rename(unpacked.join(folder), into)?;
    fs::remove_dir(&unpacked).context("a zip has one folder")
}

/// Of files; `sha256sum --check` reads it.
fn checksums(files: &[PathBuf]) -> Result<String> {
    let mut sums = String::new();
    for file in files {
        let name = file.file_name().context("a package has a name")?;
        sums += &format!("{}  {}\n", archive::sha256(file)?, name.display());
    }
    Ok(sums)
}

/// Writes a package beside and renames it: nobody who has it open, or looks for it just now, gets half of it.
pub fn put(root: &Path, file: &Path, bytes: &[u8]) -> Result<()> {
    let beside = root.join("target/staged").join(file.file_name().context("a package has a name")?);
    fs::write(&beside, bytes).with_context(|| beside.display().to_string())?;
    fs::rename(&beside, file).with_context(|| file.display().to_string())
}

/// An empty folder to stage in, outside `target/dist`.
pub fn staging(root: &Path, name: &str) -> Result<PathBuf> {
    let folder = root.join("target/staged").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// SOURCE_DATE_EPOCH, else the commit's time.
fn commit_time(root: &Path) -> Result<u64> {
    let said = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(time) => time,
        Err(_) => {
            let git = Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root).output().context("git")?;
            String::from_utf8(git.stdout)?
        }
    };
    said.trim()
        .parse()
        .context("neither SOURCE_DATE_EPOCH nor git tells of when these sources are (a number of seconds since 1970)")
}

/// `cargo xtask dist --check-reproducible`: packs once more from a copy of the sources in another folder, and compares.
pub fn check_reproducible(root: &Path, target: Option<&str>) -> Result<()> {
    let sums = run(root, target)?;
    let copy = std::env::temp_dir().join(format!("rheed-stream once more {}", std::process::id()));
    let outcome = pack_again(root, target, &copy)
        .and_then(|()| fs::read_to_string(copy.join(sums.strip_prefix(root)?)).context("the copy's checksums"));
    let _ = fs::remove_dir_all(&copy);
    let (first, again) = (fs::read_to_string(&sums)?, outcome?);
    ensure!(first == again, "built from another folder, it has other bytes:\n{first}\nand\n{again}");
    println!("Built twice, from two folders, the same bytes:\n{}", again.trim_end());
    Ok(())
}

/// Packs a copy of these sources in `folder`.
fn pack_again(root: &Path, target: Option<&str>, folder: &Path) -> Result<()> {
    let listed = said_by(Command::new("git").args(["ls-files", "-z"]).current_dir(root))?;
    for file in listed.split('\0').filter(|file| !file.is_empty()) {
        let to = folder.join(file);
        fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
        fs::copy(root.join(file), to).with_context(|| file.to_owned())?;
    }
    let mut again = cargo::command(folder);
    again.args(["xtask", "dist"]).args(target.iter().flat_map(|target| ["--target", target]));
    again.env("SOURCE_DATE_EPOCH", commit_time(root)?.to_string()).env_remove("CARGO_TARGET_DIR");
    ensure!(again.status().context("cargo")?.success(), "the copy in {} cannot be packed", folder.display());
    Ok(())
}
