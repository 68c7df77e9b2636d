//! The library for Windows, built on Linux: a prefix with the DLL, what links it, the static library and everything beside.
//!
//! Where the compiler has no standard library for the target, one that brings its source along builds it (Debian's `rustc-web`). The
//! static library is what cargo makes; mingw's linker makes the DLL of it, under its name and with its version.

use super::papers::copy;
use crate::install::Facts;
use crate::promised::promised;
use crate::said::said_by;
use anyhow::{Context, Error, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What programs ask for: in the DLL itself and in what links it. Of 32 and of 64 bits alike, each in a folder of its own.
pub const DLL: &str = "rheed_stream.dll";
const EXPORTS: &str = "rheed_stream.def";
const ARCHIVE: &str = "librheed_stream.a";

/// The targets, each with what the names of its tools begin with.
const TARGETS: [(&str, &str); 2] = [("x86_64-pc-windows-gnu", "x86_64-w64-mingw32"), ("i686-pc-windows-gnu", "i686-w64-mingw32")];

/// A compiler whose standard library comes as source, too.
const RUSTC_WITH_SOURCE: &str = "/usr/bin/rustc";
const CARGO_WITH_SOURCE: &str = "/usr/bin/cargo";
/// Where that source is, and the Debian packages without which it cannot be built.
const STD_SOURCE: &str = "lib/rustlib/src/rust/library/Cargo.lock";
const RUST_PACKAGES: &str = "rustc-web cargo-web rust-web-src";

/// LLVM's linker of MSVC's kind.
const LLD_LINK: &str = "lld-link";

/// What a static library of Rust's asks of the system, which mingw has under these names.
const SYSTEM_LIBRARIES: [&str; 7] = ["kernel32", "ntdll", "userenv", "ws2_32", "advapi32", "bcrypt", "crypt32"];

/// What the DLL may need.
const IN_EVERY_WINDOWS: &str = include_str!("../../../abi/windows.txt");

/// Makes empty files of what it is to link.
const NO_LINKER: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
    case "$1" in
        -o) : > "$2" ;;
        -Wl,--out-implib=*) : > "${1#-Wl,--out-implib=}" ;;
    esac
    shift
done
"#;

/// Whether the target is one of these.
pub fn is_one(target: &str) -> bool {
    TARGETS.iter().any(|(known, _)| *known == target)
}

/// Builds the library for a target and lays a prefix out in `into`, which is made anew.
pub fn stage(root: &Path, target: &str, into: &Path) -> Result<()> {
    let (_, tools) = TARGETS.iter().find(|(known, _)| *known == target).with_context(|| {
        let known: Vec<&str> = TARGETS.iter().map(|(known, _)| *known).collect();
        format!("{target} is no target for Windows: give {}", known.join(" or "))
    })?;
    let processor = tools.trim_end_matches("-w64-mingw32").replace('_', "-");
    for (tool, package) in [(format!("{tools}-gcc"), format!("gcc-mingw-w64-{processor}")), (LLD_LINK.into(), "lld".into())] {
        ensure!(
            crate::kit::is_there(&tool),
            "no {tool} in PATH, which the library for {target} is linked with (on Debian: {package})"
        );
    }
    let workshop = Workshop { tools, folder: root.join("target/windows").join(target).join("dist") };
    let pointer_bytes = if workshop.is_64_bits() { 8 } else { 4 };
    let system = SYSTEM_LIBRARIES.map(|name| format!("-l{name}")).to_vec();
    let facts = Facts::gather(root, "lib", None, pointer_bytes, system).map_err(Error::msg)?;
    fs::create_dir_all(&workshop.folder)?;
    let archive = workshop.rename_imports(&build_static(root, target)?)?;

    let names: BTreeSet<String> = promised(root)?.into_iter().map(|(name, _since)| name).collect();
    let exports = workshop.write(EXPORTS, &exports_of(&names))?;
    let dll = workshop.link(&facts.version)?;
    workshop.check(&dll, &names)?;

    if into.exists() {
        fs::remove_dir_all(into)?;
    }
    let lib = into.join("lib");
    copy(&dll, &into.join("bin").join(DLL))?;
    copy(&exports, &lib.join(EXPORTS))?;
    copy(&workshop.import_library_for_mingw()?, &lib.join("librheed_stream.dll.a"))?;
    copy(&workshop.import_library_for_msvc()?, &lib.join("rheed_stream.lib"))?;
    copy(&archive, &lib.join(ARCHIVE))?;
    workshop.strip(&lib.join(ARCHIVE))?;
    for header in ["rheed_stream.h", "rheed_stream.hpp"] {
        copy(&root.join("include").join(header), &into.join("include").join(header))?;
    }
    for (template, place) in [
        ("rheed_stream-config-windows.cmake", "cmake/rheed_stream/rheed_stream-config.cmake"),
        ("rheed_stream-config-version.cmake", "cmake/rheed_stream/rheed_stream-config-version.cmake"),
        ("rheed_stream.pc", "pkgconfig/rheed_stream.pc"),
    ] {
        let template = fs::read_to_string(root.join("cmake").join(format!("{template}.in")))?;
        let place = lib.join(place);
        fs::create_dir_all(place.parent().expect("it lies in a folder"))?;
        fs::write(place, facts.fill(&template))?;
    }
    Ok(())
}

/// The static library, as it is to be shipped.
fn build_static(root: &Path, target: &str) -> Result<PathBuf> {
    let mut cargo = crate::cargo::command(root);
    let mut has_source = false;
    if !has_standard_library(target) {
        let sysroot = said_by(Command::new(RUSTC_WITH_SOURCE).args(["--print", "sysroot"]));
        has_source = sysroot.is_ok_and(|sysroot| Path::new(sysroot.trim()).join(STD_SOURCE).is_file());
        ensure!(
            has_source,
            "the compiler has no standard library for {target}: `rustup target add {target}` gets it, \
             or its source (on Debian: {RUST_PACKAGES})"
        );
        cargo = Command::new(CARGO_WITH_SOURCE);
        // Stable, but for what builds the standard library.
        cargo.current_dir(root).env("RUSTC", RUSTC_WITH_SOURCE).env("RUSTC_BOOTSTRAP", "1");
        for variable in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTDOC", "LD_LIBRARY_PATH"] {
            cargo.env_remove(variable);
        }
    }
    crate::cargo::to_ship(&mut cargo, root, target)?;
    cargo.args(["--crate-type", "staticlib", "--target-dir"]).arg(root.join("target/windows"));
    if has_source {
        cargo.args(["-Z", "build-std=std,panic_unwind"]);
    }
    // On the way cargo links a DLL of the package that `shipped` puts together, which nobody needs.
    let linker = root.join("target/windows/no-linker.sh");
    fs::create_dir_all(root.join("target/windows"))?;
    fs::write(&linker, NO_LINKER)?;
    fs::set_permissions(&linker, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    cargo.env(format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_")), linker);
    let files = crate::cargo::build(&mut cargo)?;
    crate::cargo::named(&files, "librheed_stream_shipped.a")
}

/// The compiler that builds for a target.
pub fn rustc(target: &str) -> OsString {
    if has_standard_library(target) { crate::cargo::rustc() } else { RUSTC_WITH_SOURCE.into() }
}

fn has_standard_library(target: &str) -> bool {
    let folder = said_by(Command::new(crate::cargo::rustc()).args(["--print", "target-libdir", "--target", target]));
    let files = folder.ok().and_then(|folder| fs::read_dir(folder.trim()).ok()).into_iter().flatten().flatten();
    files.into_iter().any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
}

/// mingw's tools for a target, and where what they make lies. They run there, and are told of what they make by its name alone: the
/// address of a DLL, the order of what it needs, and names in what links it come from how they are told.
struct Workshop<'a> {
    tools: &'a str,
    folder: PathBuf,
}

impl Workshop<'_> {
    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(format!("{}-{name}", self.tools));
        command.current_dir(&self.folder);
        command
    }

    fn is_64_bits(&self) -> bool {
        self.tools.starts_with("x86_64")
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.folder.join(name);
        fs::write(&file, text)?;
        Ok(file)
    }

    /// The static library, in which what leads to Windows' DLLs has the same names each time. rustc has them made in a folder with a new
    /// name, and dlltool names them after where they lie.
    fn rename_imports(&self, archive: &Path) -> Result<PathBuf> {
        let listed = said_by(self.tool("nm").arg(archive))?;
        let (mut folders, mut names) = (Vec::new(), BTreeMap::new());
        for name in listed.lines().filter_map(|line| line.split_whitespace().last()) {
            let Some((folder, rest)) = in_rustcs_folder(name) else { continue };
            let number = folders.iter().position(|known| *known == folder).unwrap_or_else(|| {
                folders.push(folder);
                folders.len() - 1
            });
            let head = name.find("_head_").map_or("", |at| &name[..at + "_head_".len()]);
            names.insert(name, format!("{head}rheed_imports_{number}_{rest}"));
        }
        let list: String = names.iter().map(|(name, new)| format!("{name} {new}\n")).collect();
        let list = self.write("imports.names", &list)?;
        let renamed = self.folder.join(ARCHIVE);
        let mut objcopy = self.tool("objcopy");
        objcopy.arg("--enable-deterministic-archives").arg(format!("--redefine-syms={}", list.display()));
        said_by(objcopy.arg(archive).arg(&renamed))?;
        Ok(renamed)
    }

    /// The DLL: what is exported and what that needs, without symbols, as Windows' protections want it.
    fn link(&self, version: &str) -> Result<PathBuf> {
        let resource = self.write("version.rc", &version_resource(version))?;
        said_by(self.tool("windres").arg(&resource).args(["-O", "coff", "-o", "version.o"]))?;
        let mut gcc = self.tool("gcc");
        gcc.args(["-shared", "-static", "-static-libgcc", "-o", DLL, EXPORTS, "version.o", ARCHIVE]);
        gcc.args(SYSTEM_LIBRARIES.map(|name| format!("-l{name}")));
        // No time of the build: the same sources give the same bytes.
        gcc.args(["-Wl,--gc-sections,--strip-all,--dynamicbase,--nxcompat,--no-insert-timestamp"]);
        if self.is_64_bits() {
            gcc.arg("-Wl,--high-entropy-va");
        }
        said_by(&mut gcc)?;
        Ok(self.folder.join(DLL))
    }

    /// What mingw's linker is given for the DLL. Functions are `__cdecl`: on 32 bits their names begin with `_` there, and not in the
    /// DLL.
    fn import_library_for_mingw(&self) -> Result<PathBuf> {
        const NAME: &str = "librheed_stream.dll.a";
        let library = self.folder.join(NAME);
        let _ = fs::remove_file(&library);
        said_by(self.tool("dlltool").args(["--input-def", EXPORTS, "--dllname", DLL, "--output-lib", NAME]))?;
        Ok(library)
    }

    /// The same for MSVC's, in the short form that its own tools write. From the long one, which dlltool writes, that linker may make a
    /// broken import table where it leaves out what nothing refers to (`/OPT:REF`, release builds): the program does not start.
    fn import_library_for_msvc(&self) -> Result<PathBuf> {
        let library = self.folder.join("rheed_stream.lib");
        let machine = if self.is_64_bits() { "x64" } else { "x86" };
        let mut lld_link = Command::new(LLD_LINK);
        lld_link.current_dir(&self.folder).args(["/nologo", &format!("/machine:{machine}"), "/out:rheed_stream.lib"]);
        // Nothing is to be linked: it makes the import library alone.
        said_by(lld_link.arg(format!("/def:{EXPORTS}")))?;
        Ok(library)
    }

    fn strip(&self, archive: &Path) -> Result<()> {
        said_by(self.tool("strip").args(["--strip-debug", "--enable-deterministic-archives"]).arg(archive)).map(drop)
    }

    /// It exports what was promised and nothing else, is called what programs call it, and needs nothing that Windows 10 has not.
    fn check(&self, dll: &Path, promised: &BTreeSet<String>) -> Result<()> {
        let told = said_by(self.tool("objdump").arg("--private-headers").arg(dll))?;
        let exported = exports_in(&told);
        ensure!(exported == *promised, "{DLL} exports {exported:?}, and not {promised:?}");
        let needed = needed_by(&told);
        let in_every_windows: Vec<&str> = IN_EVERY_WINDOWS.lines().filter(|line| !line.starts_with('#')).collect();
        let missing: Vec<&String> = needed.iter().filter(|dll| !in_every_windows.contains(&dll.as_str())).collect();
        ensure!(!needed.is_empty() && missing.is_empty(), "{DLL} needs {missing:?}, which not every Windows has");
        let name = told.lines().find_map(|line| line.strip_prefix("Name")?.trim().rsplit(' ').next().map(str::to_owned));
        ensure!(name.as_deref() == Some(DLL), "{DLL} calls itself {name:?}");
        Ok(())
    }
}

/// Of a name the folder that rustc made, and what follows it: `..._release_deps_rustcG0hRbs_kernel32_dll_imports_lib_iname`.
fn in_rustcs_folder(name: &str) -> Option<(&str, &str)> {
    let (path, _) = name.split_once("_imports_lib")?;
    path.match_indices("_rustc").find_map(|(at, begin)| {
        let (folder, rest) = name[at + begin.len()..].split_once('_')?;
        (folder.len() == 6 && folder.bytes().all(|letter| letter.is_ascii_alphanumeric())).then_some((folder, rest))
    })
}

fn exports_of(names: &BTreeSet<String>) -> String {
    let lines: String = names.iter().map(|name| format!("    {name}\n")).collect();
    format!("LIBRARY {DLL}\nEXPORTS\n{lines}")
}

/// The names in an export table, as objdump shows it: `[   0] +base[   1]  0000 rheed_abi`, or without the hint.
fn exports_in(told: &str) -> BTreeSet<String> {
    let table = told.lines().skip_while(|line| !line.starts_with("[Ordinal/Name Pointer] Table"));
    table
        .skip(1)
        .take_while(|line| line.trim_start().starts_with('['))
        .filter_map(|line| Some(line.split_whitespace().last()?.to_owned()))
        .collect()
}

fn needed_by(told: &str) -> BTreeSet<String> {
    told.lines().filter_map(|line| Some(line.trim().strip_prefix("DLL Name:")?.trim().to_lowercase())).collect()
}

/// What the file's properties show.
fn version_resource(version: &str) -> String {
    let numbers: Vec<&str> = version.split(['.', '-', '+']).take(3).chain(["0"]).collect();
    let numbers = numbers.join(",");
    format!(
        r#"1 VERSIONINFO
FILEVERSION {numbers}
PRODUCTVERSION {numbers}
FILEOS 0x40004
FILETYPE 0x2
BEGIN
  BLOCK "StringFileInfo"
  BEGIN
    BLOCK "040904B0"
    BEGIN
      VALUE "CompanyName", "rheed-stream"
      VALUE "FileDescription", "Puts a growth chamber's RHEED camera on line"
      VALUE "FileVersion", "{version}"
      VALUE "InternalName", "rheed_stream"
      VALUE "LegalCopyright", "MIT or Apache-2.0"
      VALUE "OriginalFilename", "{DLL}"
      VALUE "ProductName", "rheed-stream"
      VALUE "ProductVersion", "{version}"
    END
  END
  BLOCK "VarFileInfo"
  BEGIN
    VALUE "Translation", 0x409, 1200
  END
END
"#
    )
}
