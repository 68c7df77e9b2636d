//! Makes a static library one object, in which nothing but what was promised has a name for others.
//!
//! Whatever the files of a static library share has a name in the whole program: a program that has zstd already, or another library
//! written in Rust, would have two of it. In one object these names need not be known outside.

use crate::promised::promised;
use crate::said::said_by;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Does it to the archive in a folder, and leaves out what no promised function reaches. With GNU's binutils, of 2.29 or later.
pub fn make(root: &Path, built: &Path) -> Result<()> {
    let archive = &built.join("librheed_stream.a");
    let names: Vec<String> = promised(root)?.into_iter().map(|(name, _since)| name).collect();
    let (object, list) = (archive.with_file_name("rheed_stream.o"), archive.with_extension("names"));
    fs::write(&list, names.join("\n"))?;

    let mut ld = Command::new("ld");
    // Groups are for what several objects of a program may bring alike: a linker would drop ours for another's, which we do not mean.
    ld.args(["--relocatable", "--gc-sections", "--force-group-allocation", "--output"]).arg(&object);
    ld.args(names.iter().map(|name| format!("--undefined={name}"))).arg(archive);
    said_by(&mut ld).context("the static library cannot be made one object")?;

    let mut objcopy = Command::new("objcopy");
    objcopy.arg(format!("--keep-global-symbols={}", list.display()));
    // What is for debuggers is no use without our sources, and names the folders that the C parts were compiled in.
    objcopy.arg("--strip-debug");
    // LLVM's own, of a few functions of Rust's: it fails on several of them one after another.
    objcopy.args(["--remove-section=.llvmbc", "--remove-section=.llvmcmd"]).arg(&object);
    said_by(&mut objcopy).context("the static library's own names cannot be hidden")?;

    fs::remove_file(archive)?;
    said_by(Command::new("ar").arg("rcsD").arg(archive).arg(&object))?;
    fs::remove_file(object)?;
    Ok(fs::remove_file(list)?)
}
