//! The project's own commands: `cargo xtask <command>`.

mod header;

use std::path::PathBuf;

fn main() {
    let command = std::env::args().nth(1).unwrap_or_default();
    match command.as_str() {
        "header" => {
            let root = project_root();
            let path = root.join("include/rheed_stream.h");
            std::fs::write(&path, header::generate(&root)).expect("include/ can be written");
            println!("wrote {}", path.display());
        }
        _ => {
            eprintln!("cargo xtask header");
            std::process::exit(2);
        }
    }
}

/// The folder of the workspace's Cargo.toml.
pub fn project_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the project").to_path_buf()
}
