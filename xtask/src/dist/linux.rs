//! For Linux: a prefix to unpack anywhere, and Debian's packages.

use super::{Release, archive, deb, papers, put, staging};
use crate::old_glibc::{self, Version};
use crate::{cargo, install, one_object};
use anyhow::{Error, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// Builds the library and packs it; the files that were made in `out`.
pub fn pack(root: &Path, release: &Release, out: &Path) -> Result<Vec<PathBuf>> {
    let host = cargo::host()?;
    ensure!(release.target == host, "for Linux, a computer packs for its own kind: this is {host}, not {}", release.target);
    let built = cargo::build_to_ship(root, false)?;
    one_object::make(root, &built)?;
    // Of the library itself: whatever was meant, this is what it needs.
    let glibc = old_glibc::needed(&built.join("librheed_stream.so"))?;

    let top = name(release, glibc);
    let prefix = staging(root, &top)?;
    install::install(root, &prefix, &built).map_err(Error::msg)?;
    let libraries = [deb::SONAME, "librheed_stream.a"].map(|name| prefix.join("lib").join(name));
    papers::lay(root, release, &libraries, &prefix.join(papers::FOLDER))?;
    fs::write(prefix.join("README.md"), readme(release, glibc))?;

    let archive = out.join(format!("{top}.tar.gz"));
    put(root, &archive, &archive::tar_gz(&prefix, &top, release.time)?)?;
    let bill = out.join(papers::bill_name(release));
    put(root, &bill, papers::bill(release, &libraries)?.as_bytes())?;
    let mut made = vec![archive, bill];
    made.extend(deb::pack(root, release, &built, glibc, &prefix.join(papers::FOLDER), out)?);
    Ok(made)
}

/// Who needs more than was promised says so in its name.
fn name(release: &Release, glibc: Version) -> String {
    if glibc <= old_glibc::OLDEST { release.name() } else { format!("{}-glibc{glibc}", release.name()) }
}

fn readme(release: &Release, glibc: Version) -> String {
    let Release { version, target, .. } = release;
    let papers = papers::FOLDER;
    format!(
        "# rheed-stream {version} for {target}\n\n\
         Puts a growth chamber's RHEED camera on line: a C library. It needs glibc {glibc} or later and libgcc_s.so.1.\n\n\
         This folder is a prefix: it may lie anywhere and be moved. To build a program with it:\n\n\
         ```sh\n\
         export PKG_CONFIG_PATH=\"$PWD/lib/pkgconfig\"\n\
         cc program.c $(pkg-config --cflags --libs rheed_stream) -Wl,-rpath,\"$PWD/lib\"\n\
         ```\n\n\
         or with CMake, `-DCMAKE_PREFIX_PATH=\"$PWD\"`, `find_package(rheed_stream)` and the target `rheed_stream::rheed_stream`.\n\n\
         | | |\n\
         | --- | --- |\n\
         | [packages]({papers}/docs/packages.md) | how to link, check and rebuild this |\n\
         | [the project]({papers}/README.md) | what it is, and a program |\n\
         | [programs to copy]({papers}/examples_c/README.md) | from a camera's callback to a replayed file |\n\
         | [licences]({papers}/LICENSE-MIT) | MIT or Apache 2.0; [others' work]({papers}/THIRD-PARTY.md) in the library |\n"
    )
}
