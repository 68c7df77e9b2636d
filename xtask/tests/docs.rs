//! The site has what a user looks for.

mod support;

use std::fs;
use support::{is_command, root, said_by, skip, xtask};

#[test]
fn the_site_has_every_page_and_every_function_and_no_dead_link() {
    if !is_command("doxygen") {
        return skip("no doxygen");
    }
    // It fails by itself when a link is dead, or Doxygen warns.
    said_by(&mut xtask(&["docs"]));
    let read =
        |page: &str| fs::read_to_string(root().join("target/site").join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    for page in fs::read_dir(root().join("docs")).unwrap() {
        let page = page.unwrap().path();
        if page.extension().is_some_and(|extension| extension == "md") && page.file_stem().unwrap() != "README" {
            let text = read(&format!("{}.html", page.file_stem().unwrap().to_string_lossy()));
            assert!(text.contains("class=\"textblock\""), "{}", page.display());
        }
    }
    for page in ["labview.html", "numbers.html", "examples_other.html", "cameras.html", "vimbax.html", "examples_cameras.html"] {
        assert!(read(page).contains("class=\"textblock\""), "{page}");
    }
    let reference = read("rheed__stream_8h.html");
    let functions = support::promised::listed("abi/symbols.txt");
    assert!(functions.len() > 15);
    for function in functions.iter().map(|line| &line[0]) {
        assert!(reference.contains(&format!("{function} </td>")), "{function} is not in the reference");
    }
}
