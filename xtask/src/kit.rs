//! What tests and demonstration need beyond cargo, gcc and Python: got where it may be, named where not.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// The programs that tests call, and the Debian package of each.
const PROGRAMS: [(&str, &str); 12] = [
    ("g++", "g++"),
    ("clang", "clang"),
    ("pkg-config", "pkg-config"),
    ("make", "make"),
    ("valgrind", "valgrind"),
    ("abidiff", "abigail-tools"),
    ("doxygen", "doxygen"),
    ("mcs", "mono-mcs"),
    ("mono", "mono-runtime"),
    ("octave-cli", "octave"),
    ("mkoctfile", "octave-dev"),
    // The bare server: nothing is set up, nothing is started. Not in every user's PATH.
    ("/usr/sbin/apache2", "apache2-bin"),
];

/// A file of each SDK that programs for real cameras are built and run with, and its Debian package.
const CAMERAS: [(&str, &str); 8] = [
    ("arv-fake-gv-camera-0.8", "aravis-tools"),
    ("/usr/include/aravis-0.8/arv.h", "libaravis-dev"),
    // Aravis's pkg-config file asks for it, its package does not.
    ("/usr/include/libusb-1.0/libusb.h", "libusb-1.0-0-dev"),
    ("gst-launch-1.0", "gstreamer1.0-tools"),
    ("/usr/include/gstreamer-1.0/gst/gst.h", "libgstreamer1.0-dev"),
    ("/usr/include/gstreamer-1.0/gst/app/gstappsink.h", "libgstreamer-plugins-base1.0-dev"),
    // All else of it lies in folders that bear the machine's name.
    ("/usr/share/doc/gstreamer1.0-plugins-base/copyright", "gstreamer1.0-plugins-base"),
    ("/usr/include/opencv4/opencv2/videoio.hpp", "libopencv-videoio-dev"),
];

/// What gives a test a network of its own, with more than one address: `ip`, and its Debian package.
const NETWORK: (&str, &str) = ("ip", "iproute2");

/// A camera's SDK for Python, which its maker gives out for some processors only.
const PYPYLON: &str = "tests/python/pypylon.txt";

/// The Debian package without which `python3 -m venv` fails there.
const VENV_PACKAGE: &str = "python3-venv";

/// What a locale with a decimal comma is made from, and its Debian package.
const COMMA: &str = "/usr/share/i18n/locales/de_DE";
const LOCALES_PACKAGE: &str = "locales";

/// What builds the library for Windows and runs it, and the Debian package of each.
const FOR_WINDOWS: [(&str, &str); 8] = [
    ("/usr/bin/rustc", "rustc-web"),
    ("/usr/bin/cargo", "cargo-web"),
    ("/usr/lib/rustlib/src/rust/library/Cargo.lock", "rust-web-src"),
    ("x86_64-w64-mingw32-gcc-posix", "gcc-mingw-w64-x86-64"),
    ("x86_64-w64-mingw32-g++-posix", "g++-mingw-w64-x86-64"),
    ("lld-link", "lld"),
    ("wine", "wine"),
    ("/usr/lib/wine/wine64", "wine64"),
];

/// What is there, and what is not.
pub struct Kit {
    /// Where the Python packages of tests/python/requirements.txt are, if they could be had.
    pub venv: Option<Venv>,
    /// What could not be had, each with the reason.
    pub missing: Vec<String>,
}

/// A private Python with the packages that tests and demonstration use.
pub struct Venv(PathBuf);

impl Venv {
    pub fn python(&self) -> PathBuf {
        self.0.join("bin/python")
    }

    pub fn cmake(&self) -> PathBuf {
        self.0.join("bin/cmake")
    }
}

impl Kit {
    /// Gets everything: Debian's packages where this is root on a Debian, Python's into target/venv.
    pub fn complete(root: &Path) -> Kit {
        let mut missing = Vec::new();
        let wanted = PROGRAMS.iter().chain(&CAMERAS).chain([&NETWORK]);
        let mut packages: Vec<&str> = wanted.filter(|(file, _)| !is_there(file)).map(|(_, package)| *package).collect();
        if usable_python(u32::MAX).is_none() {
            packages.push(VENV_PACKAGE);
        }
        if !Path::new(COMMA).is_file() {
            packages.push(LOCALES_PACKAGE);
        }
        get(&packages, &mut missing);
        let venv = Venv::complete(root).map_err(|error| missing.push(format!("Python packages: {error:#}"))).ok();
        if let Some(venv) = &venv {
            let added = venv.add(root, PYPYLON);
            added.unwrap_or_else(|error| missing.push(format!("{PYPYLON}: {error:#}")));
        }
        Kit { venv, missing }
    }

    /// What the library for Windows needs besides. Half a gigabyte, which only its tests are worth.
    pub fn add_windows(&mut self) {
        let packages: Vec<&str> = FOR_WINDOWS.iter().filter(|(file, _)| !is_there(file)).map(|(_, package)| *package).collect();
        get(&packages, &mut self.missing);
    }
}

impl Venv {
    /// What tests and demonstration want.
    pub fn complete(root: &Path) -> Result<Venv> {
        Venv::with(root, "tests/python/requirements.txt", &root.join("target/venv"), u32::MAX)
    }

    /// In that folder, with the packages that a file of the project names, of a Python before 3.`before`. Made anew only when that
    /// file has changed.
    pub fn with(root: &Path, requirements: &str, folder: &Path, before: u32) -> Result<Venv> {
        let wanted = root.join(requirements);
        let installed = folder.join("requirements.txt");
        let venv = Venv(folder.to_owned());
        if is_same(&wanted, &installed) && venv.python().is_file() {
            return Ok(venv);
        }
        let python = usable_python(before).with_context(|| {
            let bound = if before == u32::MAX { "or later".to_owned() } else { format!("to 3.{}", before - 1) };
            format!("they need Python 3.11 {bound} with its venv module (on Debian: python3-venv)")
        })?;
        println!("Getting the Python packages of {requirements}");
        // A link leads to a venv that others use: it is left, and what it leads to stays as it is.
        if folder.is_symlink() {
            fs::remove_file(folder)?;
        }
        quietly(Command::new(python).args(["-m", "venv", "--clear"]).arg(&venv.0))?;
        venv.install(&wanted, &installed)?;
        Ok(venv)
    }

    /// Adds what another file names to those that are there. They stay whatever becomes of it.
    fn add(&self, root: &Path, requirements: &str) -> Result<()> {
        let wanted = root.join(requirements);
        let installed = self.0.join(wanted.file_name().context("a file has a name")?);
        if is_same(&wanted, &installed) {
            return Ok(());
        }
        println!("Getting the Python packages of {requirements}");
        self.install(&wanted, &installed)
    }

    /// Installs what a file names, and notes beside them that it is done.
    fn install(&self, wanted: &Path, installed: &Path) -> Result<()> {
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "2", "--requirement"];
        quietly(Command::new(self.python()).args(pip).arg(wanted))?;
        fs::copy(wanted, installed)?;
        Ok(())
    }
}

/// Whether both are there and say the same.
fn is_same(file: &Path, other: &Path) -> bool {
    fs::read(file).is_ok_and(|text| fs::read(other).is_ok_and(|its| its == text))
}

/// A Python that can make a venv, is new enough for zarr 3, and before 3.`before`. `python3` may be an older one than Debian's own.
fn usable_python(before: u32) -> Option<&'static str> {
    let ask = format!("import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, {before}))");
    let can = |python: &&str| {
        let answer = Command::new(python).args(["-c", &ask]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        answer.is_ok_and(|status| status.success())
    };
    ["python3", "/usr/bin/python3", "python3.13", "python3.12", "python3.11"].into_iter().find(can)
}

pub fn is_there(program: impl AsRef<Path>) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program.as_ref()).is_file())
}

/// Installs packages, or notes that they are missing.
fn get(packages: &[&str], missing: &mut Vec<String>) {
    if !packages.is_empty()
        && let Err(error) = install(packages)
    {
        missing.push(format!("{}: {error:#}", packages.join(", ")));
    }
}

fn install(packages: &[&str]) -> Result<()> {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    ensure!(is_there("apt-get"), "not installed");
    ensure!(is_root, "not installed; `sudo apt-get install {}` would do it", packages.join(" "));
    println!("Installing Debian packages: {}", packages.join(" "));
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    quietly(apt().args(["--quiet", "update"]))?;
    quietly(apt().args(["--quiet", "--yes", "--no-install-recommends", "install"]).args(packages))
}

/// Shows what a program says only when it fails; the error is its last line.
fn quietly(command: &mut Command) -> Result<()> {
    let name = Path::new(command.get_program()).display().to_string();
    let output = command.stdin(Stdio::null()).output().with_context(|| name.clone())?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        eprintln!("{}", said.trim_end());
        bail!("{name} says {:?}", said.lines().last().unwrap_or_default());
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_addition_that_cannot_be_had_leaves_the_venv_as_it_was_and_is_tried_again_until_it_is_there() {
        let root = env::temp_dir().join(format!("rheed-kit-{}", std::process::id()));
        let venv = Venv(root.join("venv"));
        fs::create_dir_all(venv.0.join("bin")).unwrap();
        fs::write(root.join("more.txt"), "a-package==1\n").unwrap();
        let pip_ends_with = |code: u8| {
            fs::write(
                venv.python(),
                format!("#!/bin/sh\necho asked >> {}/asked\necho no such package >&2\nexit {code}\n", root.display()),
            )
            .and_then(|()| fs::set_permissions(venv.python(), fs::Permissions::from_mode(0o755)))
            .unwrap();
        };
        let asked = || fs::read_to_string(root.join("asked")).unwrap().lines().count();

        pip_ends_with(1);
        let error = venv.add(&root, "more.txt").unwrap_err().to_string();
        assert!(error.contains("no such package"), "{error}");
        assert!(venv.python().is_file() && !venv.0.join("more.txt").exists());
        pip_ends_with(0);
        venv.add(&root, "more.txt").unwrap();
        venv.add(&root, "more.txt").unwrap();
        assert_eq!(asked(), 2, "what is there is not asked for");
        fs::write(root.join("more.txt"), "a-package==2\n").unwrap();
        venv.add(&root, "more.txt").unwrap();
        assert_eq!(asked(), 3, "another version is");
        fs::remove_dir_all(&root).unwrap();
    }
}
