//! THIRD-PARTY.md: whose work is in the library, under which licences, and their texts as their authors wrote them.

use super::archive::files_below;
use super::contents::{Contents, Crate};
use crate::said::said_by;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// How the file of a licence may begin.
const BEGINNINGS: [&str; 6] = ["licen", "copying", "copyright", "notice", "unlicense", "unlicence"];

/// Of two licences for zstd's C code we take the other: BSD.
const NOT_TAKEN: [&str; 1] = ["zstd/COPYING"];

pub fn page(contents: &Contents) -> Result<String> {
    let mut page = format!(
        "# Others' work in rheed-stream {}\n\nThe library contains the crates below, the C code of zstd (in zstd-sys) and the \
         assembler of BoringSSL (in ring), and Rust's standard library ({}), whose notices are in rust-standard-library. \
         The licences' texts follow the table, each once.\n\n| crate | version | licence | texts |\n| --- | --- | --- | --- |\n",
        contents.version(),
        contents.rustc
    );
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut texts: Vec<(String, Vec<String>)> = Vec::new();
    for one in contents.others() {
        let mut here = Vec::new();
        for (name, text) in licences(one)? {
            let number = *numbers.entry(words(&text)).or_insert_with(|| {
                texts.push((text, Vec::new()));
                texts.len()
            });
            texts[number - 1].1.push(format!("{} {}: {name}", one.id.name, one.id.version));
            here.push(format!("[{number}](#text-{number})"));
        }
        writeln!(page, "| {} | {} | {} | {} |", one.id.name, one.id.version, one.licence, here.join(", "))?;
    }
    for (number, (text, of)) in texts.iter().enumerate() {
        write!(page, "\n## Text {}\n\n{}\n\n```text\n{}\n```\n", number + 1, of.join("; "), text.trim_end())?;
    }
    Ok(page)
}

/// The files of a crate that tell of licences, and what they say.
fn licences(one: &Crate) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for file in files_below(&one.folder)? {
        let name = file.file_name().context("a file has a name")?.to_string_lossy().to_lowercase();
        let path = file.display().to_string();
        let is_source = [".rs", ".c", ".h"].iter().any(|end| name.ends_with(end));
        if BEGINNINGS.iter().any(|start| name.starts_with(start)) && !is_source && !NOT_TAKEN.contains(&path.as_str()) {
            let text = fs::read_to_string(one.folder.join(&file)).with_context(|| format!("{}: {path}", one.id.name))?;
            found.push((path, text.replace("\r\n", "\n")));
        }
    }
    ensure!(!found.is_empty(), "{} {} brings no text of its licence", one.id.name, one.id.version);
    Ok(found)
}

/// Texts of the same words are the same text, however their lines are broken.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The notices of Rust's standard library and of what it contains, as they come with the compiler; and the name of the file here.
pub fn standard_library(rustc: &OsStr) -> Result<(PathBuf, &'static str)> {
    let sysroot = PathBuf::from(said_by(Command::new(rustc).args(["--print", "sysroot"]))?.trim());
    let places = [
        (sysroot.join("share/doc/rust/COPYRIGHT-library.html"), "rust-standard-library.html"),
        // Debian's.
        (sysroot.join("share/doc/rust-web-src/copyright"), "rust-standard-library.txt"),
        (sysroot.join("share/doc/libstd-rust-dev/copyright"), "rust-standard-library.txt"),
    ];
    let missing = format!("the compiler brings no notices of its standard library: {} is missing", places[0].0.display());
    places.into_iter().find(|(file, _)| file.is_file()).context(missing)
}

/// A page of notices as plain text; it has little more than paragraphs and texts as they were written.
pub fn plain(page: &str) -> String {
    let mut text = String::new();
    for part in page.split('<') {
        text += part.split_once('>').map_or("", |(_tag, text)| text);
    }
    let codes = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    for (code, letter) in codes {
        text = text.replace(code, letter);
    }
    let mut plain = String::new();
    for line in text.lines().map(str::trim_end) {
        if !line.is_empty() || !plain.ends_with("\n\n") {
            plain += &format!("{line}\n");
        }
    }
    plain
}
