//! Programs of the tests under a checker: `cargo xtask test` runs the C surface again with RHEED_TEST_CHECKER set.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// Who looks on while a program runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Checker {
    /// `sanitize`: gcc's AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer, compiled into the program. The library
    /// that it is linked with is to be built with `-Zsanitizer=address`, and reports to the program's.
    Sanitizers,
    /// `valgrind`: memcheck, in which the program runs as it is.
    Valgrind,
}

/// What a program ends with that a checker is not content with.
const FOUND: i32 = 99;

impl Checker {
    /// The one that the environment asks for.
    pub fn wanted() -> Option<Checker> {
        match std::env::var("RHEED_TEST_CHECKER").ok()?.as_str() {
            "sanitize" => Some(Checker::Sanitizers),
            "valgrind" => Some(Checker::Valgrind),
            other => panic!("RHEED_TEST_CHECKER={other}: sanitize or valgrind is wanted"),
        }
    }

    /// What a compiler is told besides.
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Checker::Sanitizers => {
                &["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g"]
            }
            Checker::Valgrind => &["-g"],
        }
    }

    /// The command that runs a program.
    pub fn command(self, program: &Path) -> Command {
        match self {
            Checker::Sanitizers => {
                let mut command = Command::new(program);
                command.env("ASAN_OPTIONS", format!("detect_leaks=1:detect_stack_use_after_return=1:exitcode={FOUND}"));
                command.env("UBSAN_OPTIONS", "print_stacktrace=1");
                command
            }
            Checker::Valgrind => {
                let mut command = Command::new("valgrind");
                let told = ["--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite", "--show-leak-kinds=definite"];
                command
                    .args(told)
                    .arg(format!("--error-exitcode={FOUND}"))
                    .args(["--fair-sched=yes", "--child-silent-after-fork=yes"]);
                command.arg(OsString::from(program));
                command
            }
        }
    }
}
