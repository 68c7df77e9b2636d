//! Lays the library out as C projects look for it: `include`, `lib`, CMake's package, pkg-config's file.
//!
//! Nothing that is installed names the prefix, so the folder may be moved or packed; but what lies in /usr stays there. For Linux.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Installs under `prefix` what lies built in `artefacts` (`target/shipped`, or a debug build's) and in the project at `root`.
pub fn install(root: &Path, prefix: &Path, artefacts: &Path) -> Result<(), String> {
    install_in(root, prefix, "lib", None, artefacts)
}

/// The same, with the libraries in another folder below the prefix than `lib`, as Debian has it (`lib/x86_64-linux-gnu`), and for a
/// prefix that will be known by another name: a package is staged somewhere, and installed in `/usr`.
pub fn install_in(root: &Path, prefix: &Path, folder: &str, known_as: Option<&str>, artefacts: &Path) -> Result<(), String> {
    let facts = Facts::gather(root, folder, known_as, size_of::<usize>(), native_static_libs()?)?;
    let lib = prefix.join(folder);

    for header in ["rheed_stream.h", "rheed_stream.hpp"] {
        copy(&root.join("include").join(header), &prefix.join("include").join(header))?;
    }

    // Programs ask for the SONAME when they start; linkers for the name without the number.
    let shared = format!("librheed_stream.so.{}", facts.abi);
    copy(&artefacts.join("librheed_stream.so"), &lib.join(&shared))?;
    link(&shared, &lib.join("librheed_stream.so"))?;
    copy(&artefacts.join("librheed_stream.a"), &lib.join("librheed_stream.a"))?;

    for (template, place) in [
        ("rheed_stream-config.cmake", "cmake/rheed_stream"),
        ("rheed_stream-config-version.cmake", "cmake/rheed_stream"),
        ("rheed_stream.pc", "pkgconfig"),
    ] {
        let from = root.join("cmake").join(format!("{template}.in"));
        let text = fs::read_to_string(&from).map_err(|error| format!("{}: {error}", from.display()))?;
        put(&lib.join(place).join(template), facts.fill(&text).as_bytes())?;
    }
    Ok(())
}

/// What the templates in `cmake/` leave open.
pub struct Facts {
    pub version: String,
    abi: String,
    /// Of the libraries, from the prefix.
    folder: String,
    /// For pkg-config.
    prefix: String,
    pointer_bytes: usize,
    /// Linker flags, `-lm` and the like.
    native_static_libs: Vec<String>,
}

impl Facts {
    /// Where no name of the prefix is known, it is found from where files lie.
    pub fn gather(
        root: &Path,
        folder: &str,
        known_as: Option<&str>,
        pointer_bytes: usize,
        native_static_libs: Vec<String>,
    ) -> Result<Facts, String> {
        let read = |file: &str| fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"));
        let version = read("Cargo.toml")?
            .lines()
            .skip_while(|line| *line != "[package]")
            .find_map(|line| line.strip_prefix("version = ").map(|value| value.trim_matches('"').to_string()))
            .ok_or("Cargo.toml: [package] has no version")?;
        let abi = read("include/rheed_stream.h")?
            .lines()
            .find_map(|line| line.strip_prefix("#define RHEED_ABI ").map(str::to_string))
            .ok_or("include/rheed_stream.h does not define RHEED_ABI")?;
        let folder = folder.to_string();
        let prefix = known_as.map_or_else(|| format!("${{pcfiledir}}/../{}", up(&folder)), str::to_string);
        Ok(Facts { version, abi, folder, prefix, pointer_bytes, native_static_libs })
    }

    pub fn fill(&self, template: &str) -> String {
        let without_dashes: Vec<&str> = self.native_static_libs.iter().map(|flag| flag.trim_start_matches("-l")).collect();
        [
            ("@VERSION@", self.version.as_str()),
            ("@VERSION_MAJOR@", self.version.split('.').next().unwrap_or_default()),
            ("@ABI@", &self.abi),
            ("@LIB@", &self.folder),
            ("@UP@", &up(&self.folder)),
            ("@PREFIX@", &self.prefix),
            ("@POINTER_BYTES@", &self.pointer_bytes.to_string()),
            ("@NATIVE_STATIC_LIBS@", &self.native_static_libs.join(" ")),
            ("@NATIVE_STATIC_LIBS_CMAKE@", &without_dashes.join(";")),
        ]
        .into_iter()
        .fold(template.to_string(), |text, (name, value)| text.replace(name, value))
    }
}

/// From a folder below the prefix to the prefix.
fn up(folder: &str) -> String {
    vec![".."; folder.split('/').count()].join("/")
}

/// The system libraries that Rust's own part of a static library wants; the compiler says so of an empty one, too.
fn native_static_libs() -> Result<Vec<String>, String> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_string());
    let probe =
        std::env::temp_dir().join(format!("rheed-native-libs-{}-{:?}.a", std::process::id(), std::thread::current().id()));
    let mut command = Command::new(&rustc);
    command
        .args(["--crate-type", "staticlib", "--crate-name", "probe", "--print", "native-static-libs", "-o"])
        .arg(&probe)
        .arg("-");
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{rustc}: {error}"))?;
    let _ = fs::remove_file(&probe);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    said.lines()
        .find_map(|line| line.split_once("native-static-libs:"))
        .map(|(_, flags)| flags.split_whitespace().map(str::to_string).collect())
        .ok_or(format!("{rustc} does not name the native static libraries: {said}"))
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let bytes = fs::read(from).map_err(|error| format!("{}: {error}", from.display()))?;
    put(to, &bytes)
}

/// Writes beside and renames: a program that has the former file open keeps it whole. Everybody may read it, whatever the umask.
pub fn put(to: &Path, bytes: &[u8]) -> Result<(), String> {
    let folder = to.parent().expect("an installed file lies in a folder");
    let fresh = to.with_extension("installing");
    let write = || {
        make_folders(folder)?;
        fs::File::create(&fresh)?.write_all(bytes)?;
        permit(&fresh, 0o644)?;
        fs::rename(&fresh, to)
    };
    write().map_err(|error: io::Error| format!("{}: {error}", to.display()))
}

/// Folders that were there before stay as they were.
fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    make_folders(folder.parent().unwrap_or(Path::new("")))?;
    match fs::create_dir(folder) {
        // Somebody else has just made it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made.and_then(|()| permit(folder, 0o755)),
    }
}

#[cfg(unix)]
fn permit(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn permit(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn link(target: &str, at: &Path) -> Result<(), String> {
    let _ = fs::remove_file(at);
    std::os::unix::fs::symlink(target, at).map_err(|error| format!("{}: {error}", at.display()))
}

#[cfg(not(unix))]
fn link(_: &str, at: &Path) -> Result<(), String> {
    Err(format!("{}: this layout is Linux's; `cargo xtask dist` packs for Windows", at.display()))
}
