//! Every crate that is built comes from the registry, under a licence that deny.toml allows.

use serde_json::Value;
use spdx::{Expression, Licensee, ParseMode};
use std::path::Path;
use std::process::Command;

/// The lists in deny.toml.
struct Allowed {
    everywhere: Vec<Licensee>,
    exceptions: Vec<(String, Vec<Licensee>)>,
}

impl Allowed {
    fn read(root: &Path) -> Allowed {
        let policy = std::fs::read_to_string(root.join("deny.toml")).unwrap();
        let policy: toml::Table = policy.parse().unwrap();
        let licences = |list: &toml::Value| {
            let names = list.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            names.map(|name| Licensee::parse(name).unwrap()).collect()
        };
        let exceptions = policy["licenses"]["exceptions"].as_array().unwrap().iter();
        Allowed {
            everywhere: licences(&policy["licenses"]["allow"]),
            exceptions: exceptions.map(|one| (one["crate"].as_str().unwrap().to_owned(), licences(&one["allow"]))).collect(),
        }
    }

    fn allows(&self, package: &str, licence: &str) -> bool {
        let exceptions = self.exceptions.iter().filter(|(name, _)| name == package).flat_map(|(_, licences)| licences);
        let here: Vec<&Licensee> = self.everywhere.iter().chain(exceptions).collect();
        let licence = Expression::parse_mode(licence, ParseMode::LAX);
        licence.is_ok_and(|licence| licence.evaluate(|needed| here.iter().any(|allowed| allowed.satisfies(needed))))
    }
}

/// What cargo knows about the packages built on this platform (those of other platforms may not have been fetched).
fn packages(root: &Path) -> Vec<Value> {
    let host = Command::new("rustc").args(["--print", "host-tuple"]).output().unwrap().stdout;
    let host = String::from_utf8(host).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version=1", "--all-features", "--offline", "--filter-platform", host.trim()]);
    let output = cargo.current_dir(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    match metadata["packages"].take() {
        Value::Array(packages) => packages,
        other => panic!("no packages: {other}"),
    }
}

#[test]
fn every_dependency_is_under_a_licence_that_we_allow() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let allowed = Allowed::read(root);
    let mut objections = Vec::new();
    let packages = packages(root);
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none given");
        if !allowed.allows(name, licence) {
            objections.push(format!("{name}: {licence}"));
        }
        let is_ours = package["source"].is_null();
        if !is_ours && !package["source"].as_str().unwrap().starts_with("registry+") {
            objections.push(format!("{name} comes from {}", package["source"]));
        }
    }
    assert!(packages.len() > 50, "these cannot be all: {}", packages.len());
    assert!(objections.is_empty(), "not by deny.toml:\n{}", objections.join("\n"));
}
