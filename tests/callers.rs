//! Programs in other languages, which users copy from: they stream, tell what went wrong, and end well.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::receiver::Receiver;
use std::path::PathBuf;
use std::process::Command;
use support::declarations::functions;
use support::service::{self, only_stream, pixels};
use support::spool::{entries, streams};
use support::{Ended, MustSucceed, SONAME, STRICT, Workshop, is_command, library_folder, root, skip, start_in};

const WIDTH: usize = 320;
const HEIGHT: usize = 240;
const FRAMES: usize = 90;

/// A language, and how its program is run.
#[derive(Clone, Copy, Debug)]
enum Language {
    Python,
    CSharp,
    /// Stands for MATLAB, too: a MEX file is the same in both.
    Octave,
}

impl Language {
    const ALL: [Language; 3] = [Language::Python, Language::CSharp, Language::Octave];

    /// Its program, ready to run: what starts it, and its first arguments. None where the language is not installed.
    fn program(self, workshop: &Workshop) -> Option<(PathBuf, Vec<String>)> {
        let source = |name| root().join("examples_other").join(name);
        match self {
            Language::Python => Some((which("python3")?, vec![source("stream.py").display().to_string()])),
            Language::CSharp => {
                let (compiler, mono) = (which("mcs")?, which("mono")?);
                let built = workshop.path().join("Stream.exe");
                Command::new(compiler)
                    .args(["-warn:4", "-warnaserror"])
                    .arg(format!("-out:{}", built.display()))
                    .arg(source("Stream.cs"))
                    .must_succeed();
                std::fs::copy(source("Stream.exe.config"), built.with_extension("exe.config")).expect("it can be copied");
                Some((mono, vec![built.display().to_string()]))
            }
            Language::Octave => {
                let (compiler, octave) = (which("mkoctfile")?, which("octave-cli")?);
                let built = workshop.path().join("rheed_mex.mex");
                Command::new(compiler)
                    .env("CFLAGS", STRICT.join(" "))
                    .arg("--mex")
                    .arg(source("rheed_mex.c"))
                    .arg(format!("-I{}", root().join("include").display()))
                    .arg(format!("-L{}", library_folder().display()))
                    .arg("-lrheed_stream")
                    .arg("-o")
                    .arg(&built)
                    .must_succeed();
                let folders = [workshop.path(), &root().join("examples_other")].map(|folder| folder.display().to_string());
                let [here, there] = folders;
                let play = format!("addpath('{here}', '{there}');\nexit(stream_frames(argv(){{:}}));\n");
                // Its history would lie in the user's home.
                let options = ["--no-history", "--norc"].map(String::from).into_iter();
                Some((octave, options.chain([workshop.write("play.m", &play).display().to_string()]).collect()))
            }
        }
    }
}

fn which(name: &str) -> Option<PathBuf> {
    is_command(name).then(|| name.into())
}

/// Plays a test's scene with each language that is installed.
fn for_each_language(play: impl Fn(&Workshop, &dyn Fn(&[String]) -> Ended)) {
    for language in Language::ALL {
        let workshop = Workshop::new();
        let Some((starter, first)) = language.program(&workshop) else {
            skip(&format!("{language:?}"), "it is not installed");
            continue;
        };
        // Of the library it holds what the package for running has: the name with its number.
        let folder = workshop.path().join("lib");
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::copy(workshop.shared_library(), folder.join(SONAME)).expect("it can be copied");
        assert_eq!(entries(&folder).len(), 1);
        let environment = [
            ("LD_LIBRARY_PATH", folder.display().to_string()),
            ("HOME", workshop.path().display().to_string()), // mono leaves a folder there.
        ];
        play(&workshop, &|options| start_in(&environment, &starter, first.iter().chain(options)).finish());
    }
}

fn expected() -> Vec<u8> {
    let frame =
        |index: usize| (0..HEIGHT).flat_map(move |row| (0..WIDTH).map(move |column| (3 * row + column + 7 * index) as u8));
    (0..FRAMES).flat_map(frame).collect()
}

/// The means of the 20 x 20 pixels in the middle.
fn spots() -> Vec<f64> {
    let of = |frame: &[u8]| {
        let rows = frame.chunks_exact(WIDTH).skip(HEIGHT / 2 - 10).take(20);
        let sum: u64 = rows.flat_map(|row| &row[WIDTH / 2 - 10..][..20]).map(|pixel| u64::from(*pixel)).sum();
        sum as f64 / 400.0
    };
    expected().chunks_exact(WIDTH * HEIGHT).map(of).collect()
}

fn served(workshop: &Workshop) -> (Receiver, Vec<String>) {
    let service = service::start(workshop);
    let options = service::options(&service, workshop);
    (service, options)
}

#[test]
fn frames_from_other_languages_arrive_bit_for_bit_and_events_are_told() {
    for_each_language(|workshop, run| {
        let (service, options) = served(workshop);
        let ended = run(&options).well();
        assert!(ended.out.contains("90 taken, 90 confirmed, 0 lost"), "{}", ended.out);
        assert!(ended.out.matches("event: ").count() >= 2, "{}", ended.out);
        assert_eq!(ended.err, "");
        let shown = ended.out.lines().filter_map(|line| line.strip_prefix("spot: ")?.split(" s ").nth(1)?.parse().ok());
        let shown: Vec<f64> = shown.collect();
        assert_eq!(shown.len(), FRAMES, "{}", ended.out);
        // Shown with two digits, rounded as each language does.
        assert!(shown.iter().zip(spots()).all(|(shown, spot)| (shown - spot).abs() < 0.006), "{shown:?}");
        let stream = only_stream(&service);
        assert!(pixels(&stream) == expected(), "the shards differ from the frames");
        assert_eq!(streams(&workshop.spool()), [] as [PathBuf; 0]);
    });
}

#[test]
fn python_takes_the_library_that_it_is_told_of_and_says_which_it_could_not_load() {
    let workshop = Workshop::new();
    let Some((python, arguments)) = Language::Python.program(&workshop) else {
        return skip("a library by its path", "Python is not installed");
    };
    let nowhere = workshop.path().join("nowhere.so");
    let spool = format!("spool_dir={}", workshop.spool().display());
    let options = ["endpoint=none".into(), spool, "log_file=none".into()];
    let told = |library: &str| {
        let environment = [("RHEED_LIBRARY", library.to_string()), ("LD_LIBRARY_PATH", workshop.spool().display().to_string())];
        start_in(&environment, &python, arguments.iter().chain(&options)).finish()
    };
    told(&workshop.shared_library().display().to_string()).well();
    let ended = told(&nowhere.display().to_string());
    assert!(!ended.status.success() && ended.err.contains("RHEED_LIBRARY") && ended.err.contains("nowhere.so"), "{ended:?}");
    let ended = told("");
    assert!(ended.err.contains("librheed_stream.so.1") && ended.err.contains("librheed_stream.so:"), "{ended:?}");
}

/// What .NET has and mono has not.
const RESOLVER: &str = "using System; using System.Reflection;
namespace System.Runtime.InteropServices {
    public delegate IntPtr DllImportResolver(string name, Assembly assembly, DllImportSearchPath? path);
    public static class NativeLibrary {
        public static void SetDllImportResolver(Assembly assembly, DllImportResolver resolver) {}
        public static bool TryLoad(string name, Assembly assembly, DllImportSearchPath? path, out IntPtr found) {
            found = IntPtr.Zero;
            return false;
        }
    }
}
";

#[test]
fn what_only_dot_net_compiles_of_the_program_in_csharp_is_right_by_its_types() {
    let Some(compiler) = which("mcs") else { return skip("C# as .NET compiles it", "mcs is not installed") };
    let workshop = Workshop::new();
    Command::new(compiler)
        .args(["-define:NETCOREAPP", "-warn:4", "-warnaserror"])
        .arg(format!("-out:{}", workshop.path().join("Stream.exe").display()))
        .args([root().join("examples_other/Stream.cs"), workshop.write("NativeLibrary.cs", RESOLVER)])
        .must_succeed();
}

#[test]
fn other_languages_say_what_is_wrong_with_an_option_and_end() {
    for_each_language(|workshop, run| {
        let (service, mut options) = served(workshop);
        options.push("chunk_size=many".into());
        let ended = run(&options);
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.err.contains("chunk_size") && ended.err.contains("(code -3)"), "{ended:?}");
        assert_eq!(service.streams().len(), 0);
    });
}

#[test]
fn other_languages_say_that_a_key_is_refused_and_end() {
    for_each_language(|workshop, run| {
        let (service, mut options) = served(workshop);
        options.retain(|option| !option.starts_with("api_key="));
        options.push("api_key=another".into());
        let ended = run(&options);
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.err.contains("(code -7)"), "{ended:?}");
        assert_eq!(service.streams().len(), 0);
    });
}

#[test]
fn without_a_service_frames_of_other_languages_lie_in_the_spool() {
    for_each_language(|workshop, run| {
        let spool = format!("spool_dir={}", workshop.spool().display());
        let ended = run(&["endpoint=none".into(), spool, "log_file=none".into()]).well();
        assert!(ended.out.contains("90 taken, 0 confirmed, 0 lost"), "{}", ended.out);
        assert_eq!(streams(&workshop.spool()).len(), 1);
    });
}

#[test]
fn every_program_in_another_language_is_in_the_table_and_declares_what_the_header_declares() {
    let header = std::fs::read_to_string(root().join("include/rheed_stream.h")).expect("the header is there");
    let table = std::fs::read_to_string(root().join("examples_other/README.md")).expect("examples_other has a README");
    let files = entries(&root().join("examples_other"));
    assert!(files.len() > Language::ALL.len());
    // Python leaves a folder there when one of its programs imports another.
    for file in files.iter().filter(|file| file.is_file() && !file.ends_with("README.md")) {
        let name = file.file_name().expect("a file has a name").to_string_lossy();
        assert!(table.contains(&format!("`{name}`")), "examples_other/README.md does not tell of {name}");
        let text = std::fs::read_to_string(file).expect("a program can be read");
        assert!(text.lines().count() < 200, "{name} is too long to be copied");
        if file.extension().is_some_and(|ending| ["c", "m", "config"].iter().any(|other| ending == *other)) {
            continue; // What includes the header, or is no program, declares nothing itself.
        }
        let mut compared = 0;
        for function in functions(&header) {
            if let Some(kinds) = declared(&text, &function.name) {
                let expected: Vec<&str> = function.parameters.iter().map(|it| width(&it.kind)).collect();
                assert_eq!(kinds, expected, "{} in {name}", function.name);
                compared += 1;
            }
        }
        assert!(compared >= 8, "{name} declares what is called");
    }
}

/// What a parameter is to a caller: a number of so many bits, or an address.
fn width(kind: &str) -> &'static str {
    match kind {
        "rheed_stream" | "uint64_t" | "c_uint64" | "ulong" => "u64",
        "int64_t" | "c_int64" | "long" => "i64",
        "uint32_t" | "c_uint32" | "uint" => "u32",
        "int32_t" | "c_int32" | "int" => "i32",
        _ => "address",
    }
}

/// The types with which a program of Python or C# declares a function.
fn declared(program: &str, function: &str) -> Option<Vec<&'static str>> {
    let list = match program.split_once(&format!("\"{function}\": [")) {
        Some((_, after)) => after.split_once("],\n")?.0,
        None => {
            let (_, after) = program.split_once(&format!(" {function}("))?;
            after.split_once(");")?.0
        }
    };
    let words = list.split(',').map(|parameter| parameter.split_whitespace().collect::<Vec<_>>());
    let kinds = words.filter(|words| !words.is_empty()).map(|words| {
        // `out int kind`, `ref ulong position`, `byte[] options`, `POINTER(c_int32)`: addresses.
        if ["out", "ref"].contains(&words[0]) { "address" } else { width(words[0]) }
    });
    Some(kinds.collect())
}
