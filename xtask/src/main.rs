//! The project's own commands: `cargo xtask <command>`.

mod header;
mod install;

use std::path::PathBuf;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["header"] => {
            let root = project_root();
            let path = root.join("include/rheed_stream.h");
            std::fs::write(&path, header::generate(&root)).expect("include/ can be written");
            println!("wrote {}", path.display());
        }
        ["install", "--prefix", prefix] => {
            let root = project_root();
            if let Err(sentence) = install::install(&root, prefix.as_ref(), &root.join("target/release")) {
                eprintln!("{sentence}");
                std::process::exit(1);
            }
        }
        _ => {
            eprintln!("cargo xtask header | install --prefix DIR");
            std::process::exit(2);
        }
    }
}

/// The folder of the workspace's Cargo.toml.
pub fn project_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the project").to_path_buf()
}
