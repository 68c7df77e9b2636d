//! The installed library: other people's build systems find it, wherever its folder was moved to.

#[path = "../xtask/src/install.rs"]
mod install;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use support::{MustSucceed, Workshop, library_folder, root, skip, tool};

/// Installs, then moves the folder: what still named the first place would now be found out.
fn installed(workshop: &Workshop) -> PathBuf {
    let (first, moved) = (workshop.path().join("first"), workshop.path().join("moved to here"));
    install::install(root(), &first, &library_folder()).expect("the library installs");
    std::fs::rename(first, &moved).expect("a folder can be renamed");
    moved
}

fn project(name: &str) -> PathBuf {
    root().join("tests/link").join(name)
}

/// The program runs and says the library's version; `shared` tells whether it needs the shared library for that.
#[track_caller]
fn check_program(program: &Path, prefix: &Path, shared: bool) {
    let said = Command::new(program).env("LD_LIBRARY_PATH", prefix.join("lib")).must_succeed();
    assert_eq!(said.trim(), env!("CARGO_PKG_VERSION"));
    let needed = Command::new("readelf").arg("--dynamic").arg(program).must_succeed();
    assert_eq!(needed.contains(support::SONAME), shared, "{needed}");
}

#[track_caller]
fn check_with_cmake(name: &str, shared: bool) {
    let Some(cmake) = tool("RHEED_TEST_CMAKE", "cmake") else {
        return skip(name, "no cmake in PATH, and RHEED_TEST_CMAKE names none");
    };
    let workshop = Workshop::new();
    let prefix = installed(&workshop);
    let build = workshop.path().join("build");
    Command::new(&cmake)
        .arg("-S")
        .arg(project(name))
        .arg("-B")
        .arg(&build)
        .arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display()))
        .must_succeed();
    Command::new(&cmake).arg("--build").arg(&build).must_succeed();
    check_program(&build.join("program"), &prefix, shared);
}

#[track_caller]
fn check_with_pkg_config(name: &str, shared: bool) {
    for command in ["pkg-config", "make"] {
        if !support::is_command(command) {
            return skip(name, &format!("no {command} in PATH"));
        }
    }
    let workshop = Workshop::new();
    let prefix = installed(&workshop);
    Command::new("make")
        .arg("-C")
        .arg(project(name))
        .arg(format!("OUT={}", workshop.path().display()))
        .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))
        .must_succeed();
    check_program(&workshop.path().join("program"), &prefix, shared);
}

#[test]
fn a_cmake_project_links_the_shared_library() {
    check_with_cmake("cmake_shared", true);
}

#[test]
fn a_cmake_project_links_the_static_library() {
    check_with_cmake("cmake_static", false);
}

#[test]
fn pkg_config_links_the_shared_library() {
    check_with_pkg_config("pkgconfig_shared", true);
}

#[test]
fn pkg_config_links_the_static_library() {
    check_with_pkg_config("pkgconfig_static", false);
}

#[test]
fn cmake_takes_an_older_wish_and_refuses_a_newer_one() {
    let Some(cmake) = tool("RHEED_TEST_CMAKE", "cmake") else {
        return skip("versions with cmake", "no cmake in PATH, and RHEED_TEST_CMAKE names none");
    };
    let workshop = Workshop::new();
    let prefix = installed(&workshop);
    let major: u64 = env!("CARGO_PKG_VERSION_MAJOR").parse().expect("a version is numbers");
    for (wish, taken) in
        [(env!("CARGO_PKG_VERSION").to_string(), true), (format!("{major}.999"), false), (format!("{}", major + 1), false)]
    {
        let project = workshop.path().join(&wish);
        std::fs::create_dir(&project).expect("target can be written");
        let lists =
            format!("cmake_minimum_required(VERSION 3.16)\nproject(wish C)\nfind_package(rheed_stream {wish} REQUIRED)\n");
        std::fs::write(project.join("CMakeLists.txt"), lists).expect("target can be written");
        let mut command = Command::new(&cmake);
        command.arg("-S").arg(&project).arg("-B").arg(project.join("build"));
        let output = command.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())).output().expect("cmake runs");
        assert_eq!(output.status.success(), taken, "{wish}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
