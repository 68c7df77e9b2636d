//! What the tests of the C side share: compile a C or C++ program against the library that `cargo test` has just built, run it
//! as a host would, and never wait for it forever.

#![allow(dead_code)] // Each test file uses a part of it.

#[cfg(feature = "receiver")]
pub mod aftermath;
pub mod again;
pub mod apache;
pub mod checker;
pub mod declarations;
pub mod formats;
pub mod frames;
pub mod host;
pub mod http2;
pub mod liar;
pub mod long_run;
#[cfg(feature = "receiver")]
pub mod night;
pub mod port;
pub mod promised;
pub mod proxy;
#[cfg(feature = "receiver")]
pub mod service;
pub mod spool;
pub mod stalled_disk;
pub mod stub;
pub mod tls;
pub mod victim;
pub mod waiter;
#[cfg(feature = "receiver")]
pub mod waiting;
pub mod wine;
pub mod witness;

use checker::Checker;
use std::ffi::OsStr;
use std::fmt::{self, Display, Formatter};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Warnings that a user's build may turn on; none may come from the headers or from a program that users copy.
pub const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-pedantic", "-Werror"];

/// The name under which a program asks for the shared library when it starts.
pub const SONAME: &str = "librheed_stream.so.1";

/// A program that takes longer hangs. Generous, since it never decides about a program that works.
pub const HANGS_AFTER: Duration = Duration::from_secs(120);
/// The same, as the library's calls take it.
pub const PATIENCE_MS: i32 = HANGS_AFTER.as_millis() as i32;

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where cargo lays the library that these tests are built with. Not one folder up: there, `cargo test` leaves what the last
/// `cargo build` made.
pub fn library_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it lies");
    let folder = test.parent().expect("a test lies in a folder").to_path_buf();
    for library in ["librheed_stream.so", "librheed_stream.a"] {
        assert!(folder.join(library).is_file(), "{library} is not in {}: cargo builds it with the tests", folder.display());
    }
    folder
}

/// A dialect of C or C++, and who compiles it.
#[derive(Clone, Debug)]
pub struct Dialect {
    compiler: String,
    flags: Vec<String>,
}

impl Dialect {
    /// `c99`, `c11`: by `CC`, else `cc`.
    pub fn c(standard: &str) -> Dialect {
        Dialect::by(std::env::var("CC").unwrap_or("cc".into()), "c", standard)
    }

    /// `c++17`, `c++20`: by `CXX`, else `c++`.
    pub fn cpp(standard: &str) -> Dialect {
        Dialect::by(std::env::var("CXX").unwrap_or("c++".into()), "c++", standard)
    }

    /// By a compiler that is named. The language holds whatever the file's name ends in.
    pub fn by(compiler: impl Into<String>, language: &str, standard: &str) -> Dialect {
        Dialect { compiler: compiler.into(), flags: vec!["-x".into(), language.into(), format!("-std={standard}")] }
    }

    /// Whether its compiler is on this machine.
    pub fn is_there(&self) -> bool {
        is_command(&self.compiler)
    }
}

/// How a program gets the library.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Linked {
    Shared,
    Static,
    /// Not at all: it is compiled and not linked, or loads the library itself.
    No,
}

/// A test's own folder below `target`, gone when the test is over.
pub struct Workshop {
    folder: tempfile::TempDir,
}

impl Workshop {
    pub fn new() -> Workshop {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("target can be written");
        std::os::unix::fs::symlink(library_folder().join("librheed_stream.so"), folder.path().join(SONAME))
            .expect("links can be made");
        Workshop { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A spool folder's name, the folder not yet made.
    pub fn spool(&self) -> PathBuf {
        self.path().join("spool")
    }

    /// The shared library under the name that a program asks for.
    pub fn shared_library(&self) -> PathBuf {
        self.path().join(SONAME)
    }

    /// Writes a source of the test's own making.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path().join(name);
        std::fs::write(&file, text).expect("target can be written");
        file
    }

    /// Compiles one file under `STRICT` without linking, and panics with what the compiler has to say.
    pub fn check(&self, dialect: &Dialect, source: &Path) {
        let object = self.path().join("checked.o");
        self.compiler(dialect, source).arg("-c").arg("-o").arg(object).must_succeed();
    }

    /// Builds a program from one file under `STRICT`.
    pub fn build(&self, dialect: &Dialect, source: &Path, linked: Linked) -> PathBuf {
        self.build_with(dialect, source, linked, &[])
    }

    /// The same, where others' headers and libraries are needed too: what the compiler is told of them.
    pub fn build_with(&self, dialect: &Dialect, source: &Path, linked: Linked, others: &[String]) -> PathBuf {
        let name = format!("{}-{linked:?}", source.file_stem().expect("a source has a name").to_string_lossy());
        let program = self.path().join(name);
        let mut command = self.compiler(dialect, source);
        command.arg("-o").arg(&program).args(["-x", "none"]); // What follows are libraries.
        match linked {
            Linked::Shared => command.arg(self.shared_library()).arg("-Wl,-rpath,$ORIGIN"),
            Linked::Static => command.arg(library_folder().join("librheed_stream.a")),
            Linked::No => &mut command,
        };
        command.args(others).args(["-lpthread", "-ldl", "-lm"]).must_succeed();
        program
    }

    fn compiler(&self, dialect: &Dialect, source: &Path) -> Command {
        let mut command = Command::new(&dialect.compiler);
        command.args(&dialect.flags).args(STRICT).args(Checker::wanted().map_or(&[][..], Checker::flags));
        command.arg("-I").arg(root().join("include")).arg(source);
        command
    }
}

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// Panics with everything the program said unless it ended with 0.
    #[track_caller]
    pub fn well(self) -> Ended {
        assert!(self.status.success(), "the program ended with {}\n{}\n{}", self.status, self.out, self.err);
        self
    }
}

/// A program under way.
pub struct Running {
    child: Child,
    /// What was started, with its arguments.
    command: String,
    hangs_after: Duration,
}

/// Starts a program with its standard input open. It sees nothing of this machine's keys and proxies.
pub fn start<A: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = A>) -> Running {
    start_in(&[], program, arguments)
}

/// The same, in an environment with these variables besides.
pub fn start_in<A: AsRef<OsStr>>(
    environment: &[(&str, String)],
    program: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> Running {
    let mut command = Checker::wanted().map_or_else(|| Command::new(program), |checker| checker.command(program));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    without_this_machines_service(&mut command);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.process_group(0); // A hanging program is ended with all that it forked.
    let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    Running { child, command: format!("{command:?}"), hangs_after: HANGS_AFTER }
}

/// Keys, proxies and authorities that this machine's user has set up are none of a test's.
pub fn without_this_machines_service(command: &mut Command) {
    for variable in ["AS_API_KEY", "AS_API_ENDPOINT", "ATOMSCALE_API_KEY", "ATOMSCALE_SKIP_CLOCK_SYNC"] {
        command.env_remove(variable);
    }
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env_remove(variable).env_remove(variable.to_lowercase());
    }
}

/// Runs a program to its end.
pub fn run<A: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = A>) -> Ended {
    start(program, arguments).finish()
}

impl Running {
    /// What it says from now on, line by line. To be kept until its end.
    pub fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        BufReader::new(self.child.stdout.take().expect("asked once")).lines().map_while(Result::ok)
    }

    /// Whether it is over.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    /// Sends it SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).must_succeed();
    }

    /// Ends it with SIGKILL, unless it has ended before; collects what it said.
    pub fn kill(mut self) -> Ended {
        self.child.kill().expect("a child can be killed");
        self.finish()
    }

    /// It has work for so long, and hangs only later.
    pub fn with_work_for(mut self, time: Duration) -> Running {
        self.hangs_after += time;
        self
    }

    /// Closes its standard input, waits for its end and collects what it said.
    #[track_caller]
    pub fn finish(self) -> Ended {
        match self.end() {
            Ok(ended) => ended,
            Err(hung) => panic!("{hung}"),
        }
    }

    /// The same, for who knows what to do about one that hangs. It is ended then.
    pub fn end(mut self) -> Result<Ended, Hung> {
        drop(self.child.stdin.take());
        let id = self.child.id();
        let (told, ended) = mpsc::channel();
        std::thread::spawn(move || told.send(self.child.wait_with_output()));
        let wait = || {
            let output: Output = ended.recv_timeout(self.hangs_after).ok()?.expect("a child can be waited for");
            Some(Ended { status: output.status, out: text(output.stdout), err: text(output.stderr) })
        };
        if let Some(ended) = wait() {
            return Ok(ended);
        }
        let threads = states_of_threads(id);
        // SAFETY: kill takes any numbers; the group is our own child's, which has not been waited for.
        unsafe { libc::kill(-(id as i32), libc::SIGKILL) };
        // Who left the group may hold its pipes for ever.
        Err(Hung { command: self.command, threads, said: wait() })
    }
}

/// A program that did not end by itself.
pub struct Hung {
    command: String,
    /// A letter each, as /proc has it: R runs, S sleeps.
    pub threads: String,
    said: Option<Ended>,
}

impl Display for Hung {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} hangs, its threads in state {:?}; ", self.command, self.threads)?;
        match &self.said {
            Some(ended) => write!(f, "until then it said\n{}\n{}", ended.out, ended.err),
            None => write!(f, "and somebody holds its output after it was killed"),
        }
    }
}

fn states_of_threads(process: u32) -> String {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    // Behind the name, which is in parentheses and may have some of its own.
    let state = |stat: String| stat.rsplit_once(") ")?.1.chars().next();
    tasks.filter_map(|task| state(std::fs::read_to_string(task.path().join("stat")).ok()?)).collect()
}

/// Runs the calling test once more, in a process of its own, for what a whole process has once: its environment, its console.
/// `None`: this is that process.
pub fn run_alone(environment: &[(&str, &str)]) -> Option<Ended> {
    run_alone_by(&[], environment)
}

/// The same, started by another program, which gets the test and its arguments.
pub fn run_alone_by(starter: &[&str], environment: &[(&str, &str)]) -> Option<Ended> {
    const ALONE: &str = "RHEED_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return None;
    }
    let thread = std::thread::current();
    let test = thread.name().expect("a test's thread bears its name");
    let program = std::env::current_exe().expect("a test knows where it lies");
    let mut words = starter.iter().map(OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().expect("at least the test's own name"));
    command.args(words).args(["--exact", test, "--nocapture"]).env(ALONE, "yes");
    without_this_machines_service(&mut command);
    command.envs(environment.iter().copied());
    let output = command.output().expect("it can be run again");
    let ended = Ended { status: output.status, out: text(output.stdout), err: text(output.stderr) }.well();
    assert!(ended.out.contains("1 passed"), "{}", ended.out);
    Some(ended)
}

/// What starts a program in a namespace of its own (`--mount`, `--net`), after a line of shell in there that has to succeed. `None`
/// where this user may not have one.
pub fn in_a_namespace<'a>(of: &'a str, first: &'a str) -> Option<Vec<&'a str>> {
    let starters = [&["unshare", of][..], &["unshare", "--map-root-user", of]];
    let mut starters = starters.map(|unshare| [unshare, &["sh", "-c", first, "sh"]].concat()).into_iter();
    starters.find(|starter| {
        let tried = Command::new(starter[0]).args(&starter[1..]).arg("true").output();
        tried.is_ok_and(|tried| tried.status.success())
    })
}

/// Runs a tool that has to succeed.
pub trait MustSucceed {
    /// Panics with the command and all it said unless it ends with 0; answers what it wrote to its standard output.
    fn must_succeed(&mut self) -> String;
}

impl MustSucceed for Command {
    #[track_caller]
    fn must_succeed(&mut self) -> String {
        let output = self.output().unwrap_or_else(|error| panic!("{self:?}: {error}"));
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{self:?} ended with {}\n{out}\n{err}", output.status);
        out
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a command is there: a path, or a name in PATH.
pub fn is_command(name: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}

/// A tool that the environment may name, else the one in PATH.
pub fn tool(variable: &str, name: &str) -> Option<String> {
    std::env::var(variable).ok().or_else(|| is_command(name).then(|| name.to_string()))
}

/// A Python with zarr, if there is one: RHEED_TEST_PYTHON.
pub fn python() -> Option<PathBuf> {
    std::env::var_os("RHEED_TEST_PYTHON").map(PathBuf::from)
}

/// Says that something was not tested, and why: on the screen, and in the file that RHEED_TEST_SKIPS names, so that a run that
/// must be complete can look there.
pub fn skip(what: &str, why: &str) {
    println!("skipped: {what}: {why}");
    if let Some(file) = std::env::var_os("RHEED_TEST_SKIPS") {
        let mut file = std::fs::File::options().create(true).append(true).open(file).expect("RHEED_TEST_SKIPS can be written");
        let (suite, thread) = (env!("CARGO_CRATE_NAME"), std::thread::current());
        let test = thread.name().expect("a test's thread bears its name");
        writeln!(file, "{suite}::{test}: {what}: {why}").expect("RHEED_TEST_SKIPS can be written");
    }
}
