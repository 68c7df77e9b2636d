//! Debian's packages: `librheed-stream1`, which programs need, and `librheed-stream-dev`, which compilers need.
//!
//! Made without Debian's tools, so that their bytes do not hang on those tools' version: a package is an `ar` of two archives.

use super::papers::{copy, mail_date};
use super::{Release, archive, put, staging, third_party};
use crate::install;
use crate::old_glibc::Version;
use crate::promised::promised;
use anyhow::{Context, Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

const MAINTAINER: &str = "the rheed-stream authors <rheed-stream@users.invalid>";

/// What the two are called, by the ABI's number.
const RUNTIME: &str = "librheed-stream1";
const DEVELOPMENT: &str = "librheed-stream-dev";
/// What programs ask for.
pub const SONAME: &str = "librheed_stream.so.1";

/// Debian's name for what a target's processor is.
pub fn architecture(target: &str) -> Option<&'static str> {
    match target.strip_suffix("-unknown-linux-gnu")? {
        "x86_64" => Some("amd64"),
        "aarch64" => Some("arm64"),
        _ => None,
    }
}

/// Packs what lies built in `built`, with the papers that were laid for the archive.
pub fn pack(root: &Path, release: &Release, built: &Path, glibc: Version, papers: &Path, out: &Path) -> Result<Vec<PathBuf>> {
    let architecture = architecture(&release.target).with_context(|| format!("Debian has no name for {}", release.target))?;
    let folder = format!("lib/{}-linux-gnu", release.target.split('-').next().unwrap_or_default());
    let [runtime, development] = [staging(root, RUNTIME)?, staging(root, DEVELOPMENT)?];

    // All of it as a prefix, of which the runtime takes what programs ask for.
    install::install_in(root, &development.join("usr"), &folder, Some("/usr"), built).map_err(Error::msg)?;
    let shared = Path::new("usr").join(&folder).join(SONAME);
    copy(&development.join(&shared), &runtime.join(&shared))?;
    fs::remove_file(development.join(&shared))?;

    // A release candidate comes before its release, which to Debian a tilde says.
    let upstream = release.version.replace('-', "~");
    let version = format!("{upstream}-1");
    for (package, folder) in [(RUNTIME, &runtime), (DEVELOPMENT, &development)] {
        let doc = folder.join("usr/share/doc").join(package);
        fs::create_dir_all(&doc)?;
        fs::write(doc.join("copyright"), copyright(papers)?)?;
        fs::write(doc.join("changelog.gz"), archive::gz(&fs::read(papers.join("CHANGELOG.md"))?, release.time)?)?;
        fs::write(doc.join("changelog.Debian.gz"), archive::gz(changelog(release, &version).as_bytes(), release.time)?)?;
    }
    for page in archive::files_below(papers)?.iter().filter(|page| !is_elsewhere(page)) {
        copy(&papers.join(page), &development.join("usr/share/doc").join(DEVELOPMENT).join(page))?;
    }

    let common = |package: &str, section: &str, depends: &str, about: &str, folder: &Path| -> Result<String> {
        let bytes: u64 = archive::files_below(folder)?.iter().map(|file| size(&folder.join(file))).sum();
        Ok(format!(
            "Package: {package}\nSource: rheed-stream\nVersion: {version}\nArchitecture: {architecture}\nMulti-Arch: same\n\
             Maintainer: {MAINTAINER}\nSection: {section}\nPriority: optional\nInstalled-Size: {}\nDepends: {depends}\n{about}",
            bytes.div_ceil(1024)
        ))
    };
    let runtime_control = common(
        RUNTIME,
        "libs",
        &format!("libc6 (>= {glibc}), libgcc-s1 (>= 4.2) | libgcc1 (>= 1:4.2)"),
        "Recommends: ca-certificates\nDescription: puts a growth chamber's RHEED camera on line\n\
         \x20A C library that takes the frames of a RHEED camera, keeps them on disk until\n\
         \x20they are safe, and uploads them to the analysis service while a crystal grows.\n\
         \x20.\n\
         \x20This package holds the shared library.\n",
        &runtime,
    )?;
    let development_control = common(
        DEVELOPMENT,
        "libdevel",
        &format!("{RUNTIME} (= {version}), libc6-dev"),
        "Description: puts a growth chamber's RHEED camera on line (development files)\n\
         \x20A C library that takes the frames of a RHEED camera, keeps them on disk until\n\
         \x20they are safe, and uploads them to the analysis service while a crystal grows.\n\
         \x20.\n\
         \x20This package holds the headers for C and C++, the static library, the files\n\
         \x20for pkg-config and CMake, the manual, and programs to copy.\n",
        &development,
    )?;
    // For those who package programs: from which version on the library has what they call.
    let symbols = symbols(root)?;
    let shlibs = format!("librheed_stream 1 {RUNTIME} (>= {upstream})\n");
    let runtime_files: [(&str, &str); 4] =
        [("control", &runtime_control), ("shlibs", &shlibs), ("symbols", &symbols), ("triggers", "activate-noawait ldconfig\n")];
    let file = |package: &str| out.join(format!("{package}_{version}_{architecture}.deb"));
    let files = [file(RUNTIME), file(DEVELOPMENT)];
    write(root, release, &runtime, &runtime_files, &files[0])?;
    write(root, release, &development, &[("control", &development_control)], &files[1])?;
    Ok(files.into())
}

/// A package of what is staged in `folder`.
fn write(root: &Path, release: &Release, folder: &Path, control: &[(&str, &str)], file: &Path) -> Result<()> {
    let mut sums = String::new();
    for name in archive::files_below(folder)?.iter().filter(|name| !folder.join(name).is_symlink()) {
        sums += &format!("{}  {}\n", archive::md5(&fs::read(folder.join(name))?), name.display());
    }
    let staged = staging(root, "control")?;
    for (name, text) in control.iter().copied().chain([("md5sums", sums.as_str())]) {
        fs::write(staged.join(name), text)?;
    }
    let control = archive::tar_gz(&staged, ".", release.time)?;
    let data = archive::tar_gz(folder, ".", release.time)?;
    let members = [("debian-binary", b"2.0\n".as_slice()), ("control.tar.gz", &control), ("data.tar.gz", &data)];
    put(root, file, &archive::ar(&members, release.time))
}

/// From the list of what is exported, and since when.
fn symbols(root: &Path) -> Result<String> {
    let mut symbols = format!("{SONAME} {RUNTIME} #MINVER#\n* Build-Depends-Package: {DEVELOPMENT}\n");
    for (name, since) in promised(root)? {
        symbols += &format!(" {name}@Base {since}\n");
    }
    Ok(symbols)
}

fn changelog(release: &Release, version: &str) -> String {
    format!(
        "rheed-stream ({version}) unstable; urgency=medium\n\n  * Version {}: see changelog.gz.\n\n -- {MAINTAINER}  {}\n",
        release.version,
        mail_date(release.time)
    )
}

/// Ours and everybody else's in one file: small systems are installed without the others in its folder. Debian keeps the Apache
/// licence's text in one place. Packages of several architectures may have the file together, so it is the same in all.
fn copyright(papers: &Path) -> Result<String> {
    let read = |name: &str| fs::read_to_string(papers.join(name)).with_context(|| name.to_owned());
    let standard_library = match read("rust-standard-library.html") {
        Ok(page) => third_party::plain(&page),
        Err(_) => read("rust-standard-library.txt")?,
    };
    Ok(format!(
        "rheed-stream is under either of two licences, as you like: the MIT licence, which follows, or the Apache License 2.0, which\n\
         is /usr/share/common-licenses/Apache-2.0 on Debian. After it follows what of others is in the library, with its licences.\n\n\
         {}\n\n{}\n\n# rust-standard-library\n\n{standard_library}",
        read("LICENSE-MIT")?,
        read("THIRD-PARTY.md")?,
    ))
}

/// In `copyright`; and the bill of materials, of which each architecture has another.
fn is_elsewhere(paper: &Path) -> bool {
    let name = paper.to_string_lossy();
    name == "THIRD-PARTY.md" || name.starts_with("rust-standard-library.") || name.ends_with(".cdx.json")
}

fn size(file: &Path) -> u64 {
    fs::symlink_metadata(file).map_or(0, |known| known.len())
}
