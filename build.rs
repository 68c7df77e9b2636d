//! Gives the shared library its SONAME and keeps it mapped once it is loaded.

fn main() {
    // Of both packages that have this script. It is run again when it is another, whatever is named here.
    println!("cargo:rerun-if-changed=Cargo.toml");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // The number is the ABI's (RHEED_ABI): it changes only with an incompatible interface.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,librheed_stream.so.1");
        // Library threads must never run in unmapped code, whoever calls dlclose.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
