//! Programs for Windows, built by mingw against the DLL that is shipped, and run under Wine.

use super::{Ended, MustSucceed, STRICT, Workshop, is_command, long_run, root, skip, start};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs};

/// The compilers, with POSIX threads as the hosts want them, and what reads and links programs.
pub const GCC: &str = "gcc-posix";
pub const GPP: &str = "g++-posix";
pub const OBJDUMP: &str = "objdump";
pub const DLLTOOL: &str = "dlltool";

/// What Wine takes for a server, and what that shares.
const SERVER: &str = "laboratory";
const SHARE: &str = "disk";

/// Where all of it lies.
pub struct Bench {
    /// What `cargo xtask dist` lays out: `bin`, `lib`, `include`.
    pub prefix: PathBuf,
    /// For which processor: `x86_64`, or `i686` where the prefix is one of 32 bits and the Wine in PATH, too.
    pub processor: &'static str,
    /// Wine's own folder, with what Windows has.
    windows: PathBuf,
}

/// The bench, if this machine has what it takes; else the test is skipped with the reason.
pub fn bench() -> Option<&'static Bench> {
    static BENCH: OnceLock<Result<Bench, String>> = OnceLock::new();
    match BENCH.get_or_init(Bench::set_up) {
        Ok(bench) => Some(bench),
        Err(why) => {
            skip("the library for Windows", why);
            None
        }
    }
}

/// `cargo xtask test` builds it while the other tests run.
fn built(prefix: &Path) -> Result<(), String> {
    const PATIENCE: Duration = Duration::from_secs(1800);
    let began = Instant::now();
    while !prefix.is_dir() {
        if let Ok(why) = fs::read_to_string(prefix.with_extension("failed")) {
            return Err(why);
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("{} does not come", prefix.display()));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

impl Bench {
    fn set_up() -> Result<Bench, String> {
        let prefix = env::var_os("RHEED_TEST_WINDOWS").ok_or("RHEED_TEST_WINDOWS names no folder with the DLL")?;
        built(Path::new(&prefix))?;
        let processor = processor_of(&Path::new(&prefix).join("bin/rheed_stream.dll"));
        // Kept for the next run: it takes a while to make.
        let windows = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wine").join(processor);
        let bench = Bench { prefix: prefix.into(), processor, windows };
        for command in ["wine".into(), bench.tool(GCC), bench.tool(GPP)] {
            if !is_command(&command) {
                return Err(format!("no {command} in PATH"));
            }
        }
        fs::create_dir_all(&bench.windows).expect("target can be written");
        if processor == std::env::consts::ARCH {
            let (source, made) = (root().join("tests/wine/locks_of_the_killed.c"), bench.windows.join("locks_of_the_killed.so"));
            Command::new("gcc").args(["-O2", "-shared", "-fPIC"]).arg(source).arg("-o").arg(made).must_succeed();
        }
        // What runs beside all programs of Windows ends with the last of them, and holds the pipes of the first: so first and last
        // is one that has none, and that ends with this process.
        let status = bench.wine(&["wineboot"]).stdin(Stdio::null()).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err("wineboot fails".into());
        }
        let server = bench.windows.join("dosdevices/unc").join(SERVER);
        fs::create_dir_all(&server).expect("target can be written");
        if !server.join(SHARE).exists() {
            symlink("/", server.join(SHARE)).expect("links can be made");
        }
        let kept = bench.wine(&["cmd"]).stdin(Stdio::piped()).spawn();
        std::mem::forget(kept.map_err(|error| format!("wine cannot be started: {error}"))?.stdin.take());
        Ok(bench)
    }

    /// One of the programs that Windows brings along.
    fn wine(&self, arguments: &[&str]) -> Command {
        let mut wine = Command::new("wine");
        wine.args(arguments).env("WINEPREFIX", &self.windows).env("WINEDEBUG", "-all");
        wine.env("WINEDLLOVERRIDES", "mscoree,mshtml=").stdout(Stdio::null()).stderr(Stdio::null());
        wine
    }

    /// Makes a proxy the one of the user's settings, for all programs, as long as that is kept. Services on this computer have none.
    pub fn set_proxy<'a>(&'a self, address: &str) -> impl Drop + use<'a> {
        struct Kept<'a>(&'a Bench);
        impl Kept<'_> {
            fn set(&self, name: &str, kind: &str, value: &str) -> Command {
                const SETTINGS: &str = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Internet Settings";
                self.0.wine(&["reg", "add", SETTINGS, "/v", name, "/t", kind, "/d", value, "/f"])
            }
        }
        impl Drop for Kept<'_> {
            fn drop(&mut self) {
                let _ = self.set("ProxyEnable", "REG_DWORD", "0").status(); // What else may have failed is worth more.
            }
        }
        let kept = Kept(self);
        kept.set("ProxyServer", "REG_SZ", address).must_succeed();
        kept.set("ProxyEnable", "REG_DWORD", "1").must_succeed();
        kept
    }

    /// One of mingw's tools for this processor.
    pub fn tool(&self, name: &str) -> String {
        format!("{}-w64-mingw32-{name}", self.processor)
    }

    /// The DLL that is tested.
    pub fn dll(&self) -> PathBuf {
        self.prefix.join("bin/rheed_stream.dll")
    }

    /// Compiles a host of `tests/c`, or another program, and lays beside it what it needs; what is returned starts it.
    #[track_caller]
    pub fn build(&self, workshop: &Workshop, source: &Path, linked: Linked) -> PathBuf {
        self.build_with(workshop, source, linked, &[])
    }

    /// The same, with more for the linker.
    #[track_caller]
    pub fn build_with(&self, workshop: &Workshop, source: &Path, linked: Linked, more: &[&str]) -> PathBuf {
        let is_cpp = source.extension().is_some_and(|extension| extension == "cpp");
        let (compiler, standard) = if is_cpp { (GPP, "-std=c++17") } else { (GCC, "-std=c11") };
        let program = workshop.path().join(source.file_stem().expect("a source has a name")).with_extension("exe");
        let mut command = Command::new(self.tool(compiler));
        // As POSIX prints numbers; and all that is mingw's in the program itself.
        command.args([standard, "-D__USE_MINGW_ANSI_STDIO=1", "-static"]).args(STRICT);
        command.arg("-I").arg(self.prefix.join("include")).arg(source).arg("-o").arg(&program);
        match linked {
            Linked::Shared => command.arg(self.prefix.join("lib/librheed_stream.dll.a")).arg("-lws2_32"),
            Linked::Static => command.arg(self.prefix.join("lib/librheed_stream.a")).args(self.needed_by_the_static_library()),
            Linked::No => &mut command,
        };
        command.args(more).must_succeed();
        self.wrap(workshop, &program)
    }

    /// As pkg-config tells who links it.
    fn needed_by_the_static_library(&self) -> Vec<String> {
        let file = self.prefix.join("lib/pkgconfig/rheed_stream.pc");
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let line = text.lines().find_map(|line| line.strip_prefix("Libs.private:")).expect("it needs some");
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// Compiles a DLL that calls the library, and lays it beside the programs of this workshop.
    #[track_caller]
    pub fn build_plug_in(&self, workshop: &Workshop, source: &Path) {
        let dll = workshop.path().join(source.file_stem().expect("a source has a name")).with_extension("dll");
        let mut command = Command::new(self.tool(GCC));
        command.args(["-std=c11", "-shared", "-static"]).args(STRICT).arg("-I").arg(self.prefix.join("include"));
        command.arg(source).arg(self.prefix.join("lib/librheed_stream.dll.a")).arg("-o").arg(dll).must_succeed();
    }

    /// What starts a program that was built: with the DLL beside it, and with what Wine lacks.
    pub fn wrap(&self, workshop: &Workshop, program: &Path) -> PathBuf {
        let folder = program.parent().expect("a program lies in a folder");
        fs::copy(self.dll(), folder.join("rheed_stream.dll")).expect("target can be written");
        fs::copy(self.stand_in(workshop), folder.join("bcryptprimitives.dll")).expect("target can be written");
        let starter = program.with_extension("sh");
        symlink(root().join("tests/wine/start.sh"), &starter).expect("links can be made");
        if !folder.join("wine").exists() {
            symlink(&self.windows, folder.join("wine")).expect("links can be made");
        }
        starter
    }

    /// What Windows has and Wine 8 has not: where Rust's standard library gets its random numbers.
    fn stand_in(&self, workshop: &Workshop) -> PathBuf {
        static MADE: OnceLock<Vec<u8>> = OnceLock::new();
        let made = workshop.path().join("made.dll");
        let bytes = MADE.get_or_init(|| {
            let source = root().join("tests/wine/bcryptprimitives.c");
            let mut command = Command::new(self.tool(GCC));
            command
                .args(["-shared", "-static", "-Wl,--kill-at"])
                .arg(source)
                .arg("-o")
                .arg(&made)
                .arg("-ladvapi32")
                .must_succeed();
            fs::read(&made).expect("it was just made")
        });
        fs::write(&made, bytes).expect("target can be written");
        made
    }
}

/// Runs a program that ends in the middle of everything, which Wine 8 itself may spoil, now and then: it kills a thread that holds a
/// lock of Wine's, for which the last one then turns round for ever; or it closes what a thread still asks. Windows does neither.
/// The program is run once more then.
#[track_caller]
pub fn run_to_its_end(program: &Path, arguments: &[String]) -> Ended {
    let spoiled = match start(program, arguments).end() {
        Ok(ended) if is_spoiled(&ended) => ended.err.trim_end().replace('\n', "; "),
        Ok(ended) => return ended,
        Err(hung) if hung.threads == "R" => "its last thread turned round for ever".into(),
        Err(hung) => panic!("{hung}"),
    };
    static SPOILED: AtomicU32 = AtomicU32::new(0);
    // Wine's faults are rare: what comes again and again is the library's.
    assert!(SPOILED.fetch_add(1, Ordering::Relaxed) < 2, "spoiled a third time: {spoiled}");
    long_run::figure(&format!("wine: run again, since Wine spoiled its end: {spoiled}"));
    start(program, arguments).finish()
}

/// By a complaint of Wine's, and by nothing else.
fn is_spoiled(ended: &Ended) -> bool {
    let is_wines = |line: &str| line.starts_with("wine client error:");
    ended.status.code() == Some(1) && ended.out.is_empty() && !ended.err.is_empty() && ended.err.lines().all(is_wines)
}

/// Which processor a DLL is for, by its header.
fn processor_of(dll: &Path) -> &'static str {
    const I386: [u8; 2] = 0x14c_u16.to_le_bytes();
    let bytes = fs::read(dll).unwrap_or_else(|error| panic!("{}: {error}", dll.display()));
    let header = u32::from_le_bytes(bytes[0x3c..0x40].try_into().expect("four bytes")) as usize;
    if bytes[header + 4..header + 6] == I386 { "i686" } else { "x86_64" }
}

/// How a program gets the library.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Linked {
    Shared,
    Static,
    No,
}

/// A path as Windows calls it under Wine.
pub fn windows(path: &Path) -> String {
    format!("Z:{}", path.display()).replace('/', "\\")
}

/// The same as if this machine's disk were a server's.
pub fn on_a_server(path: &Path) -> String {
    format!(r"\\{SERVER}\{SHARE}{}", path.display()).replace('/', "\\")
}

/// Options with the paths of Windows.
pub fn with_windows_paths(options: Vec<String>) -> Vec<String> {
    let changed = |line: String| match line.strip_prefix("spool_dir=") {
        Some(path) => format!("spool_dir={}", windows(Path::new(path))),
        None => line,
    };
    options.into_iter().map(changed).collect()
}
