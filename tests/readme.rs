//! What the README and the pages in docs/ show is true: the C compiles, and every link leads somewhere.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The blocks of a page that are marked as C.
fn c_snippets(page: &str) -> Vec<&str> {
    page.split("```c\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(|page| root().join(page)).into();
    for folder in ["docs", "docs/cameras", "labview", "examples_c", "examples_cameras", "examples_other"] {
        pages.extend(fs::read_dir(root().join(folder)).unwrap().map(|page| page.unwrap().path()));
    }
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages
}

/// Programs that the tests compile, and pages show parts of.
fn examples() -> String {
    let folders = ["examples_c", "examples_cameras"].map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let files = folders.into_iter().flatten().map(|file| file.unwrap().path());
    files.filter(|file| file.is_file()).map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// A page's piece of C as a whole source: it is one, or what stands in a function.
fn source_of(snippet: &str) -> String {
    match snippet.contains("#include") {
        true => snippet.to_owned(),
        false => format!("#include <rheed_stream.h>\n#include <stdio.h>\nvoid piece(void);\nvoid piece(void)\n{{\n{snippet}}}\n"),
    }
}

#[test]
fn the_c_in_the_pages_compiles_without_a_warning_or_stands_in_a_program_that_does() {
    let mut compiled = Vec::new();
    let examples = examples();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for snippet in c_snippets(&text).into_iter().filter(|snippet| !examples.contains(*snippet)) {
            let name = page.file_stem().unwrap().to_string_lossy().into_owned();
            let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.c"));
            fs::write(&program, source_of(snippet)).unwrap();
            let mut gcc = Command::new("gcc");
            gcc.args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-I"]).arg(root().join("include"));
            gcc.arg("-I").arg(root().join("tests/cameras/stand_ins"));
            let output = gcc.arg(&program).output().expect("gcc runs");
            assert!(output.status.success(), "{}: {}", page.display(), String::from_utf8_lossy(&output.stderr));
            compiled.push(name);
        }
    }
    compiled.sort();
    assert!(compiled.contains(&"README".to_owned()) && compiled.contains(&"operations".to_owned()), "{compiled:?}");
}

#[test]
fn what_a_page_shows_of_an_example_stands_in_it() {
    let page = fs::read_to_string(root().join("docs/zero-copy.md")).unwrap();
    let shown = c_snippets(&page);
    assert!(shown.len() == 1 && examples().contains(shown[0]), "docs/zero-copy.md differs from its program");
}

#[test]
fn every_link_of_the_pages_leads_somewhere() {
    let mut dead = Vec::new();
    for page in &pages() {
        let folder = page.parent().unwrap();
        let text = fs::read_to_string(page).unwrap();
        for link in links(&text) {
            let file = link.split('#').next().unwrap();
            if !file.contains("://") && !file.is_empty() && !folder.join(file).exists() {
                dead.push(format!("{}: {link}", page.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

/// What stands in `[text](here)`.
fn links(page: &str) -> impl Iterator<Item = &str> {
    page.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link)
}
