//! What lies beside the library in every package: pages, programs to copy, licences, others' licences, the bill of materials.

use super::contents::Contents;
use super::{Release, archive, sbom, third_party};
use crate::{cargo, install};
use anyhow::{Context, Error, Result};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where they lie in a prefix.
pub const FOLDER: &str = "share/doc/rheed-stream";
/// Of the project, as they are.
const OURS: [&str; 3] = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];
/// Folders of the project of which every file goes along.
const FOLDERS: [&str; 6] = ["abi", "docs", "examples_c", "examples_cameras", "examples_other", "labview"];

/// Lays all of it into `folder`; `libraries` are what it speaks of.
pub fn lay(root: &Path, release: &Release, libraries: &[PathBuf], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let ours = OURS.map(PathBuf::from).into_iter().chain(files_of(root, &FOLDERS)?);
    for file in ours {
        copy(&root.join(&file), &folder.join(&file))?;
        if file.extension().is_some_and(|extension| extension == "md") {
            let page = folder.join(&file);
            fs::write(&page, header_where_it_is(&fs::read_to_string(&page)?, file.components().count() - 1))?;
        }
    }
    for (name, text) in licences(root, &release.contents, &release.rustc)? {
        fs::write(folder.join(name), text)?;
    }
    fs::write(folder.join(bill_name(release)), bill(release, libraries)?)?;
    Ok(())
}

/// A page, so many folders below these papers, in which links to the header lead to it: in the prefix, as the project has it in the root.
fn header_where_it_is(page: &str, depth: usize) -> String {
    let up = "../".repeat(depth);
    let to_prefix = "../".repeat(Path::new(FOLDER).components().count());
    page.replace(&format!("]({up}include/"), &format!("]({up}{to_prefix}include/"))
}

/// The licences of all that is in the library, which go along wherever it goes: the names of files, and what they say.
pub fn licences(root: &Path, contents: &Contents, rustc: &OsStr) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut licences = Vec::new();
    for name in LICENCES {
        licences.push((name, fs::read(root.join(name)).context(name)?));
    }
    licences.push(("THIRD-PARTY.md", third_party::page(contents)?.into()));
    let (notices, name) = third_party::standard_library(rustc)?;
    licences.push((name, fs::read(&notices).with_context(|| notices.display().to_string())?));
    Ok(licences)
}

/// Lays the licences into a prefix of this computer's.
pub fn install_licences(root: &Path, prefix: &Path) -> Result<()> {
    let rustc = cargo::rustc();
    for (name, text) in licences(root, &Contents::of(root, &cargo::host()?, &rustc)?, &rustc)? {
        install::put(&prefix.join(FOLDER).join(name), &text).map_err(Error::msg)?;
    }
    Ok(())
}

/// Every file of these folders; of a repository only what belongs to it, and not what somebody built there.
fn files_of(root: &Path, folders: &[&str]) -> Result<Vec<PathBuf>> {
    let listed = Command::new("git").args(["ls-files", "-z", "--"]).args(folders).current_dir(root).output();
    if let Some(listed) = listed.ok().filter(|listed| listed.status.success() && !listed.stdout.is_empty()) {
        let names = String::from_utf8(listed.stdout)?;
        return Ok(names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect());
    }
    let mut files = Vec::new();
    for folder in folders.iter().filter(|folder| root.join(folder).is_dir()) {
        files.extend(archive::files_below(&root.join(folder))?.iter().map(|file| Path::new(folder).join(file)));
    }
    Ok(files)
}

/// `rheed-stream-0.1.0-x86_64-unknown-linux-gnu.cdx.json`
pub fn bill_name(release: &Release) -> String {
    format!("{}.cdx.json", release.name())
}

/// The bill of materials as text.
pub fn bill(release: &Release, libraries: &[PathBuf]) -> Result<String> {
    let mut sums = Vec::new();
    for library in libraries {
        let name = library.file_name().context("a library has a name")?.to_string_lossy().into_owned();
        sums.push((name, archive::sha256(library)?));
    }
    Ok(serde_json::to_string_pretty(&sbom::bill(release, &sums))? + "\n")
}

pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
    fs::copy(from, to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
    Ok(())
}

fn moment(time: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(time)
}

/// `2026-11-23T05:08:26Z`
pub fn timestamp(time: u64) -> String {
    humantime::format_rfc3339_seconds(moment(time)).to_string()
}

/// As a Debian changelog wants it: `Mon, 23 Nov 2026 05:08:26 +0000`.
pub fn mail_date(time: u64) -> String {
    httpdate::fmt_http_date(moment(time)).replace("GMT", "+0000")
}
