//! The crates that the shipped library is made of: neither those that build it, nor those of its tests.

use crate::cargo;
use crate::said::said_by;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package that is shipped. In the papers it goes by the project's name.
const SHIPPED: &str = "rheed-stream-shipped";

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    pub name: String,
    pub version: String,
}

pub struct Crate {
    pub id: Id,
    /// An SPDX expression.
    pub licence: String,
    /// Its source, unpacked.
    pub folder: PathBuf,
    /// Of its package in the registry; ours have none.
    pub sha256: Option<String>,
    pub repository: Option<String>,
    pub needs: BTreeSet<Id>,
}

impl Crate {
    pub fn is_ours(&self) -> bool {
        self.sha256.is_none()
    }
}

/// All of them, in the order of their names.
pub struct Contents {
    pub crates: Vec<Crate>,
    /// What the standard library came with: `rustc 1.95.0 (59807616e 2026-04-14)`.
    pub rustc: String,
}

impl Contents {
    pub fn of(root: &Path, target: &str, rustc: &OsStr) -> Result<Contents> {
        let needs = needs(root, target)?;
        let checksums = checksums(root)?;
        let metadata =
            said_by(cargo::command(root).args(["metadata", "--format-version=1", "--locked", "--filter-platform", target]))?;
        let metadata: Value = serde_json::from_str(&metadata)?;
        let mut crates = Vec::new();
        for package in metadata["packages"].as_array().context("cargo tells of packages")? {
            let text = |key: &str| package[key].as_str().map(str::to_owned);
            let id = Id { name: text("name").unwrap_or_default(), version: text("version").unwrap_or_default() };
            let Some(needs) = needs.get(&id) else { continue };
            let manifest = PathBuf::from(text("manifest_path").context("a package has a manifest")?);
            let licence = text("license").with_context(|| format!("{} tells no licence", id.name))?;
            crates.push(Crate {
                // Before SPDX had expressions, a slash stood for `OR`.
                licence: licence.split('/').map(str::trim).collect::<Vec<_>>().join(" OR "),
                folder: manifest.parent().context("a manifest lies in a folder")?.to_owned(),
                sha256: checksums.get(&id).cloned(),
                repository: text("repository"),
                needs: needs.clone(),
                id,
            });
        }
        ensure!(crates.len() == needs.len(), "cargo tells of {} of {} crates", crates.len(), needs.len());
        crates.sort_by(|one, other| one.id.cmp(&other.id));
        let rustc = said_by(Command::new(rustc).arg("--version"))?.trim().to_owned();
        Ok(Contents { crates, rustc })
    }

    /// The library's.
    pub fn version(&self) -> String {
        let shipped = self.crates.iter().find(|one| one.id.name == SHIPPED);
        shipped.map(|one| one.id.version.clone()).unwrap_or_default()
    }

    /// `1.95.0`
    pub fn rust_version(&self) -> &str {
        self.rustc.split(' ').nth(1).unwrap_or_default()
    }

    pub fn others(&self) -> impl Iterator<Item = &Crate> {
        self.crates.iter().filter(|one| !one.is_ours())
    }
}

/// Who needs whom, for this target and with the library's own features.
fn needs(root: &Path, target: &str) -> Result<BTreeMap<Id, BTreeSet<Id>>> {
    let mut tree = cargo::command(root);
    tree.args(["tree", "--locked", "--package", SHIPPED, "--edges", "normal,no-proc-macro", "--prefix", "depth"]);
    let listed = said_by(tree.args(["--target", target]))?;
    let mut needs: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
    let mut above: Vec<Id> = Vec::new();
    for line in listed.lines() {
        // `2crc32c v0.6.9`, or of ours `1rheed-stream v0.1.0 (/folder)`.
        let name_at = line.find(|it: char| !it.is_ascii_digit()).with_context(|| line.to_owned())?;
        let depth: usize = line[..name_at].parse().with_context(|| line.to_owned())?;
        let mut words = line[name_at..].split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().trim_start_matches('v'));
        let id = Id { name: name.to_owned(), version: version.to_owned() };
        above.truncate(depth);
        if let Some(needing) = above.last() {
            needs.entry(needing.clone()).or_default().insert(id.clone());
        }
        needs.entry(id.clone()).or_default();
        above.push(id);
    }
    Ok(needs)
}

/// From Cargo.lock.
fn checksums(root: &Path) -> Result<BTreeMap<Id, String>> {
    let lock: toml::Table = fs::read_to_string(root.join("Cargo.lock")).context("Cargo.lock")?.parse()?;
    let packages = lock["package"].as_array().context("Cargo.lock has packages")?;
    let text = |package: &toml::Value, key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let known = packages.iter().filter_map(|package| {
        let id = Id { name: text(package, "name")?, version: text(package, "version")? };
        Some((id, text(package, "checksum")?))
    });
    Ok(known.collect())
}
