//! What `cargo xtask torture` asks of a test that the ordinary run cuts short, and where the test leaves its figures.

use std::io::Write;

/// How often: as the variable says (`cargo xtask torture` sets it), else as in the ordinary run.
pub fn times(variable: &str, ordinary: u64) -> u64 {
    let Ok(wanted) = std::env::var(variable) else { return ordinary };
    wanted.parse().unwrap_or_else(|_| panic!("{variable}={wanted}: a count is wanted"))
}

/// A figure for docs/reliability.md: on the screen, and in the file that RHEED_TEST_FIGURES names.
pub fn figure(text: &str) {
    println!("{text}");
    if let Some(file) = std::env::var_os("RHEED_TEST_FIGURES") {
        let mut file = std::fs::File::options().create(true).append(true).open(file).expect("RHEED_TEST_FIGURES can be written");
        writeln!(file, "{text}").expect("RHEED_TEST_FIGURES can be written");
    }
}
