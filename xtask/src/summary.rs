//! What a run of `cargo test` came to, read from what it prints.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The suites in the order in which they ran.
#[derive(Default)]
pub struct Summary {
    /// What the suites that follow are run under.
    tool: Option<&'static str>,
    suites: Vec<Suite>,
    /// The tests that were skipped, or a part of them, and why.
    skips: BTreeMap<String, BTreeSet<String>>,
    /// What the end of a long log should say again: the tests that failed, what a tool found, how a program ended.
    troubles: Vec<String>,
}

struct Suite {
    /// As cargo names the crate: `rheed_stream`, `c_programs`.
    name: String,
    /// None until it says so; a suite that crashes never does.
    result: Option<Counts>,
    skipped: usize,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl Summary {
    /// The suites that follow are run once more, under a tool.
    pub fn under(&mut self, tool: &'static str) {
        self.tool = Some(tool);
    }

    /// Something ran that is no suite of tests.
    pub fn note(&mut self, name: &str, is_good: bool) {
        let counts = Counts { passed: is_good.into(), failed: (!is_good).into(), ignored: 0 };
        self.suites.push(Suite { name: name.to_owned(), result: Some(counts), skipped: 0 });
    }

    /// Something could not be run at all.
    pub fn skip(&mut self, what: &str, why: &str) {
        self.skips.entry(what.to_owned()).or_default().insert(why.to_owned());
    }

    /// Takes a line of cargo's or of a suite's.
    pub fn read(&mut self, line: &str) {
        if let Some(path) = line.strip_prefix("Running ").and_then(|running| running.strip_suffix(')')) {
            // `Running tests/c_programs.rs (target/debug/deps/c_programs-0f3a)`
            let file = path.rsplit(['/', '(']).next().unwrap_or(path);
            let name = file.rsplit_once('-').map_or(file, |(name, _hash)| name);
            let name = self.tool.map_or_else(|| name.to_owned(), |tool| format!("{tool}: {name}"));
            self.suites.push(Suite { name, result: None, skipped: 0 });
        } else if let Some(result) = line.strip_prefix("test result: ")
            && let Some(suite) = self.suites.last_mut()
        {
            suite.result = Some(Counts {
                passed: number_before(" passed", result),
                failed: number_before(" failed", result),
                ignored: number_before(" ignored", result),
            });
        } else if is_trouble(line) {
            self.troubles.push(self.tool.map_or_else(|| line.to_owned(), |tool| format!("{tool}: {line}")));
        }
    }

    /// Takes the tests' own notes, `suite::test: why` a line.
    pub fn note_skips(&mut self, notes: &str) {
        for note in notes.lines() {
            let (test, why) = note.split_once(": ").unwrap_or((note, "it does not say why"));
            self.skips.entry(test.to_owned()).or_default().insert(why.to_owned());
        }
        for test in self.skips.keys() {
            let suite = test.split("::").next();
            if let Some(suite) = self.suites.iter_mut().find(|known| suite == Some(&known.name)) {
                suite.skipped += 1;
            }
        }
    }

    pub fn skipped(&self) -> usize {
        self.skips.len()
    }

    /// Whether there were tests, all of them ended, and none failed.
    pub fn is_good(&self) -> bool {
        let is_good = |suite: &Suite| suite.result.is_some_and(|counts| counts.failed == 0);
        self.suites.iter().all(is_good) && self.suites.iter().any(|suite| suite.result.is_some_and(|counts| counts.passed > 0))
    }
}

/// A failed test; a sanitizer's sum of what it saw; cargo's own words when all tests passed and the program still did not end well.
fn is_trouble(line: &str) -> bool {
    (line.starts_with("test ") && line.ends_with(" ... FAILED"))
        || line.starts_with("SUMMARY: ")
        || line.starts_with("error: ")
        || line.starts_with("process didn't exit successfully")
}

fn number_before(word: &str, text: &str) -> usize {
    let number = text.split_once(word).and_then(|(before, _)| before.rsplit(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

impl fmt::Display for Summary {
    /// Suites without tests are left out. To cargo a skipped test has passed; here it has not.
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        writeln!(out, "{:<28}{:>8}{:>8}{:>8}{:>8}", "suite", "tests", "passed", "failed", "skipped")?;
        let mut total = [0; 4];
        for Suite { name, result, skipped } in &self.suites {
            let Some(Counts { passed, failed, ignored }) = *result else {
                writeln!(out, "{name:<28}   crashed before its end")?;
                continue;
            };
            let row = [passed + failed + ignored, passed.saturating_sub(*skipped), failed, ignored + skipped];
            if row[0] > 0 {
                writeln!(out, "{name:<28}{:>8}{:>8}{:>8}{:>8}", row[0], row[1], row[2], row[3])?;
            }
            for (sum, number) in total.iter_mut().zip(row) {
                *sum += number;
            }
        }
        write!(out, "{:<28}{:>8}{:>8}{:>8}{:>8}", "all", total[0], total[1], total[2], total[3])?;
        for (test, whys) in &self.skips {
            for why in whys {
                write!(out, "\nSKIPPED {test}: {why}")?;
            }
        }
        for trouble in &self.troubles {
            write!(out, "\n{trouble}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "\
     Running unittests src/lib.rs (target/debug/deps/rheed_stream-37db2)
running 3 tests
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
     Running tests/c_programs.rs (/elsewhere/debug/deps/c_programs-0f3a)
test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 12.80s";

    fn read(run: &str) -> Summary {
        let mut summary = Summary::default();
        run.lines().for_each(|line| summary.read(line.trim()));
        summary
    }

    #[test]
    fn a_skipped_test_has_not_passed() {
        let mut summary = read(RUN);
        summary.note_skips("c_programs::hello_cpp: no g++\nc_programs::hello_cpp: no zarr\n");
        assert!(summary.is_good());
        assert_eq!(summary.skipped(), 1);
        let table = summary.to_string();
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1], ["rheed_stream", "3", "2", "0", "1"]);
        assert_eq!(rows[2], ["c_programs", "4", "3", "0", "1"]);
        assert_eq!(rows[3], ["all", "7", "5", "0", "2"]);
        assert_eq!(table.lines().last(), Some("SKIPPED c_programs::hello_cpp: no zarr"));
    }

    #[test]
    fn the_end_says_again_what_failed() {
        let mut summary = Summary::default();
        summary.under("thread");
        RUN.lines().for_each(|line| summary.read(line.trim()));
        for line in
            ["test ring::it_turns ... FAILED", "SUMMARY: ThreadSanitizer: data race", "error: test failed, to rerun pass `--lib`"]
        {
            summary.read(line);
        }
        let table = summary.to_string();
        let end: Vec<&str> = table.lines().rev().take(3).collect();
        assert_eq!(end[2], "thread: test ring::it_turns ... FAILED");
        assert_eq!(end[1], "thread: SUMMARY: ThreadSanitizer: data race");
        assert_eq!(end[0], "thread: error: test failed, to rerun pass `--lib`");
        assert!(!read(RUN).to_string().contains("thread"));
    }

    #[test]
    fn failures_crashes_and_nothing_at_all_are_not_good() {
        assert!(!read(&RUN.replace("0 failed", "1 failed")).is_good());
        assert!(!read(&format!("{RUN}\nRunning tests/faults.rs (target/debug/deps/faults-1)")).is_good());
        assert!(!read("").is_good());
    }
}
