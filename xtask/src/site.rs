//! `cargo xtask docs`: the header's reference and the project's pages as a site, by Doxygen.
//!
//! The pages are written for those who read them in the repository. Here each gets a file of its own name, its headings get the
//! anchors that they have there, and its links lead to the site's pages; what is no page is laid beside them.

use crate::kit;
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

/// Folders whose pages belong to the site; `README.md` is its first page.
const FOLDERS: [&str; 6] = ["docs", "docs/cameras", "examples_c", "examples_cameras", "examples_other", "labview"];
const TOP: [&str; 3] = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
const INDEX: &str = "index";
const HEADERS: [&str; 2] = ["include/rheed_stream.h", "include/rheed_stream.hpp"];

/// The path of each page in the project, and the page's name in the site.
type Pages = BTreeMap<PathBuf, String>;

/// Makes the site; answers its first page.
pub fn run(root: &Path) -> Result<PathBuf> {
    ensure!(kit::is_there("doxygen"), "the site is made by Doxygen (on Debian: apt-get install doxygen)");
    let (site, source) = (root.join("target/site"), root.join("target/site-source"));
    for folder in [&site, &source] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
    }
    let pages = pages(root)?;
    let mut beside = BTreeSet::new();
    for (page, name) in &pages {
        let text = fs::read_to_string(root.join(page)).with_context(|| page.display().to_string())?;
        let text = Rewriter { root, pages: &pages, page, name, beside: &mut beside }.rewrite(&text)?;
        fs::write(source.join(name).with_extension("md"), text)?;
    }
    doxygen(root, &source, &site)?;
    for file in beside {
        let to = site.join("files").join(&file);
        fs::create_dir_all(to.parent().expect("it lies in a folder"))?;
        fs::copy(root.join(&file), to)?;
    }
    let dead = dead_links(&site)?;
    ensure!(dead.is_empty(), "links of the site that lead nowhere:\n{}", dead.join("\n"));
    Ok(site.join("index.html"))
}

fn pages(root: &Path) -> Result<Pages> {
    let mut pages: Pages = TOP.iter().map(|page| (PathBuf::from(page), page_name(Path::new(page)))).collect();
    for folder in FOLDERS.map(PathBuf::from) {
        let Ok(entries) = fs::read_dir(root.join(&folder)) else { continue };
        for entry in entries {
            let page = folder.join(entry?.file_name());
            if page.extension().is_some_and(|extension| extension == "md") {
                pages.insert(page.clone(), page_name(&page));
            }
        }
    }
    // The list of the pages is the first page's, and the menu.
    pages.remove(Path::new("docs/README.md"));
    Ok(pages)
}

/// `docs/options.md` is `options`, `labview/README.md` is `labview`, and the first of all `index`.
fn page_name(page: &Path) -> String {
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    match (stem(page), page.parent().map(stem).unwrap_or_default()) {
        (readme, folder) if readme == "readme" => {
            if folder.is_empty() {
                "index".into()
            } else {
                folder
            }
        }
        (name, _) => name,
    }
}

/// Makes a page of the repository one of the site.
struct Rewriter<'a> {
    root: &'a Path,
    pages: &'a Pages,
    page: &'a Path,
    name: &'a str,
    /// Files of the project that pages lead to, and that are no pages.
    beside: &'a mut BTreeSet<PathBuf>,
}

impl Rewriter<'_> {
    fn rewrite(mut self, text: &str) -> Result<String> {
        let (mut page, mut is_code, mut headings) = (String::new(), false, 0);
        for line in text.lines() {
            if line.trim_start().starts_with("```") {
                is_code = !is_code;
            } else if !is_code
                && let Some(title) = line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
            {
                // The first one names the page, and its file; the main page has its name.
                let anchor = if headings == 0 { self.name.to_owned() } else { self.anchor(&slug(title)) };
                headings += 1;
                page.push_str(&if anchor == INDEX { format!("{line}\n") } else { format!("{line} {{#{anchor}}}\n") });
                continue;
            }
            page.push_str(&if is_code { line.to_owned() } else { self.links(line)? });
            page.push('\n');
        }
        Ok(page)
    }

    fn anchor(&self, slug: &str) -> String {
        format!("{}-{slug}", self.name)
    }

    /// Each `[text](target)` of a line.
    fn links(&mut self, line: &str) -> Result<String> {
        let mut parts = line.split("](");
        let mut rewritten = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (target, rest) =
                part.split_once(')').with_context(|| format!("{}: a link does not end: {line}", self.page.display()))?;
            rewritten.push_str(&format!("]({}){rest}", self.target(target)?));
        }
        Ok(rewritten)
    }

    fn target(&mut self, target: &str) -> Result<String> {
        if target.contains("://") {
            return Ok(target.to_owned());
        }
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        if file.is_empty() {
            return Ok(format!("{}.html#{}", self.name, self.anchor(anchor)));
        }
        let path = normal(&self.page.parent().unwrap_or(Path::new("")).join(file));
        let readme = path.join("README.md");
        if let Some(name) = self.pages.get(&path).or_else(|| self.pages.get(&readme)) {
            let anchor = if anchor.is_empty() { String::new() } else { format!("#{name}-{anchor}") };
            return Ok(format!("{name}.html{anchor}"));
        }
        if HEADERS.iter().any(|header| path == Path::new(header)) {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            return Ok(format!("{}.html", file.replace('_', "__").replace('.', "_8"))); // Doxygen's way to write names.
        }
        if !self.root.join(&path).is_file() {
            bail!("{}: {target} is neither a page of the site nor a file", self.page.display());
        }
        self.beside.insert(path.clone());
        Ok(format!("files/{}", path.display()))
    }
}

/// As the repository's host makes anchors of headings.
fn slug(title: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    title.trim().to_lowercase().chars().filter(kept).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// Without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

/// With its warnings as errors.
fn doxygen(root: &Path, source: &Path, site: &Path) -> Result<()> {
    let mut settings = fs::read_to_string(root.join("docs/Doxyfile")).context("docs/Doxyfile")?;
    let input = HEADERS.map(|header| format!("{:?}", root.join(header))).join(" ");
    settings.push_str(&format!(
        "\nPROJECT_NUMBER = {}\nINPUT = {source:?} {input}\nUSE_MDFILE_AS_MAINPAGE = {:?}\nOUTPUT_DIRECTORY = {site:?}\n",
        env!("CARGO_PKG_VERSION"),
        source.join(INDEX).with_extension("md")
    ));
    let mut doxygen = Command::new("doxygen").arg("-").current_dir(root).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    doxygen.stdin.take().expect("stdin is piped").write_all(settings.as_bytes())?;
    let output = doxygen.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && said.trim().is_empty(), "doxygen says:\n{said}");
    Ok(())
}

/// Of all pages: `page: link`.
fn dead_links(site: &Path) -> Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(site)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "html") {
            pages.insert(file.file_name().unwrap_or_default().to_string_lossy().into_owned(), fs::read_to_string(&file)?);
        }
    }
    let values = |text: &str, attribute: &str| -> Vec<String> {
        let values = text.split(attribute).skip(1).filter_map(|rest| rest.split_once('"'));
        values.map(|(value, _)| value.replace("&amp;", "&")).collect()
    };
    let anchors =
        |text: &str| -> BTreeSet<String> { [values(text, "id=\""), values(text, "name=\"")].concat().into_iter().collect() };
    let anchors: BTreeMap<&str, BTreeSet<String>> = pages.iter().map(|(page, text)| (page.as_str(), anchors(text))).collect();
    let mut dead = Vec::new();
    for (page, text) in &pages {
        for link in [values(text, "href=\""), values(text, "src=\"")].concat() {
            if link.contains("://") || link.starts_with("javascript:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let file = if file.is_empty() { page } else { file };
            let is_there = match anchors.get(file) {
                Some(anchors) => anchor.is_empty() || anchors.contains(anchor),
                None => site.join(file).is_file(),
            };
            if !is_there {
                dead.push(format!("{page}: {link}"));
            }
        }
    }
    Ok(dead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_sites_pages_and_to_files_beside_them() {
        let pages: Pages = ["README.md", "docs/options.md", "labview/README.md"]
            .map(|page| (PathBuf::from(page), page_name(Path::new(page))))
            .into();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut beside = BTreeSet::new();
        let text = "# Options\n[a](../README.md) [b](#limits) [c](../labview) [d](../include/rheed_stream.h)\n## Limits, all\n\
                    ```\n# [e](none)\n```\n[f](../LICENSE-MIT) [g](https://x.org/#y) [h](options.md#limits-all)";
        let page = Path::new("docs/options.md");
        let rewrite = |text: &str, beside: &mut BTreeSet<PathBuf>| {
            Rewriter { root, pages: &pages, page, name: "options", beside }.rewrite(text)
        };
        assert_eq!(
            rewrite(text, &mut beside).unwrap(),
            "# Options {#options}\n[a](index.html) [b](options.html#options-limits) [c](labview.html) [d](rheed__stream_8h.html)\n\
             ## Limits, all {#options-limits-all}\n```\n# [e](none)\n```\n[f](files/LICENSE-MIT) [g](https://x.org/#y) \
             [h](options.html#options-limits-all)\n"
        );
        assert_eq!(Vec::from_iter(beside.clone()), [PathBuf::from("LICENSE-MIT")]);
        assert!(rewrite("[a](nowhere.md)", &mut beside).unwrap_err().to_string().contains("nowhere.md"));
    }

    #[test]
    fn a_link_of_the_site_that_leads_nowhere_is_named() {
        let site = std::env::temp_dir().join(format!("rheed-site-{}", std::process::id()));
        fs::create_dir_all(&site).unwrap();
        fs::write(
            site.join("a.html"),
            r##"<a id="x"></a><a href="b.html#x"></a><a href="b.html"></a><a href="c.html"></a><a href="#x"></a>"##,
        )
        .unwrap();
        fs::write(site.join("b.html"), "").unwrap();
        let dead = dead_links(&site);
        fs::remove_dir_all(&site).unwrap();
        assert_eq!(dead.unwrap(), ["a.html: b.html#x", "a.html: c.html"]);
    }
}
