//! The bill of materials: what the library is made of, in CycloneDX 1.5 (JSON), for those who look for known weaknesses.

use super::Release;
use super::contents::{Crate, Id};
use serde_json::{Value, json};

/// With the checksum of each library that is shipped, by its file's name.
pub fn bill(release: &Release, libraries: &[(String, String)]) -> Value {
    let top = format!("rheed-stream@{}", release.version);
    let rust = rust(release);
    let mut components: Vec<Value> = release.contents.others().map(component).collect();
    let mut dependencies: Vec<Value> = release
        .contents
        .crates
        .iter()
        .filter(|one| !one.is_ours())
        .map(|one| json!({ "ref": reference(&one.id), "dependsOn": one.needs.iter().map(reference).collect::<Vec<_>>() }))
        .collect();
    // What ours need, the library needs: that it is several packages is nobody's concern.
    let is_ours = |id: &&Id| release.contents.crates.iter().any(|one| one.is_ours() && one.id == **id);
    let ours = release.contents.crates.iter().filter(|one| one.is_ours());
    let mut needs: Vec<String> = ours.flat_map(|one| one.needs.iter().filter(|id| !is_ours(id))).map(reference).collect();
    needs.push(reference_of(&rust));
    needs.sort();
    needs.dedup();
    dependencies.push(json!({ "ref": top, "dependsOn": needs }));
    dependencies.push(json!({ "ref": reference_of(&rust), "dependsOn": [] }));
    components.push(rust);
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": super::papers::timestamp(release.time),
            "component": {
                "type": "library",
                "bom-ref": top,
                "name": "rheed-stream",
                "version": release.version,
                "description": "Puts a growth chamber's RHEED camera on line",
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
                "purl": format!("pkg:generic/rheed-stream@{}", release.version),
                "properties": [
                    { "name": "rheed-stream:target", "value": release.target },
                    { "name": "rheed-stream:rustc", "value": release.contents.rustc },
                ],
                "components": libraries.iter().map(|(name, sha256)| json!({
                    "type": "file",
                    "bom-ref": format!("{top}/{name}"),
                    "name": name,
                    "version": release.version,
                    "hashes": [{ "alg": "SHA-256", "content": sha256 }],
                })).collect::<Vec<_>>(),
            },
        },
        "components": components,
        "dependencies": dependencies,
    })
}

fn component(one: &Crate) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(&one.id),
        "name": one.id.name,
        "version": one.id.version,
        "scope": "required",
        "hashes": one.sha256.iter().map(|sha256| json!({ "alg": "SHA-256", "content": sha256 })).collect::<Vec<_>>(),
        "licenses": [{ "expression": one.licence }],
        "purl": reference(&one.id),
    });
    if let Some(repository) = &one.repository {
        component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
    }
    // C code that a crate brings along has weaknesses of its own, and a version of its own to look for.
    if let Some((_, zstd)) = one.id.version.split_once("+zstd.") {
        component["components"] = json!([{
            "type": "library",
            "bom-ref": format!("pkg:github/facebook/zstd@v{zstd}"),
            "name": "zstd",
            "version": zstd,
            "scope": "required",
            "licenses": [{ "license": { "id": "BSD-3-Clause" } }],
            "purl": format!("pkg:github/facebook/zstd@v{zstd}"),
        }]);
    }
    component
}

/// The standard library.
fn rust(release: &Release) -> Value {
    let version = release.contents.rust_version();
    let purl = format!("pkg:github/rust-lang/rust@{version}");
    json!({
        "type": "library",
        "bom-ref": purl,
        "name": "rust-std",
        "version": version,
        "description": "Rust's standard library",
        "scope": "required",
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
        "purl": purl,
    })
}

fn reference_of(component: &Value) -> String {
    component["bom-ref"].as_str().unwrap_or_default().to_owned()
}

/// Of a crate in the registry; `+` has a meaning in a package's URL.
fn reference(id: &Id) -> String {
    format!("pkg:cargo/{}@{}", id.name, id.version.replace('+', "%2B"))
}
