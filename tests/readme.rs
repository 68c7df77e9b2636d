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
    for page in fs::read_dir(root().join("docs")).unwrap() {
        pages.push(page.unwrap().path());
    }
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages
}

#[test]
fn the_c_in_the_pages_compiles_without_a_warning() {
    let mut compiled = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        // Without what it includes, a snippet is a piece of somebody's program.
        for snippet in c_snippets(&text).into_iter().filter(|snippet| snippet.contains("#include")) {
            let name = page.file_stem().unwrap().to_string_lossy().into_owned();
            let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.c"));
            fs::write(&program, snippet).unwrap();
            let mut gcc = Command::new("gcc");
            gcc.args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-I"]).arg(root().join("include"));
            let output = gcc.arg(&program).output().expect("gcc runs");
            assert!(output.status.success(), "{}: {}", page.display(), String::from_utf8_lossy(&output.stderr));
            compiled.push(name);
        }
    }
    compiled.sort();
    assert_eq!(compiled, ["README"]);
}

#[test]
fn what_a_page_shows_of_an_example_stands_in_it() {
    let [page, program] =
        ["docs/zero-copy.md", "examples_c/zero_copy.c"].map(|file| fs::read_to_string(root().join(file)).unwrap());
    let shown = c_snippets(&page);
    assert!(shown.len() == 1 && program.contains(shown[0]), "docs/zero-copy.md differs from its program");
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
