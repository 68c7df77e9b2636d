//! Makes `include/rheed_stream.h` from the sources with cbindgen, and what LabVIEW has of it.
//!
//! What cbindgen cannot do is done here: it does not look inside `export!`, so the functions are taken out of it first; and it
//! cannot put a calling convention between a return type and a name, so `RHEED_CALL` is put there last.

use crate::labview;
use anyhow::{Result, ensure};
use quote::quote;
use std::fs;
use std::path::Path;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Item, Token};

/// Where the enumerators and the functions are, in the header's order.
const SOURCES: [&str; 6] =
    ["src/codes.rs", "src/abi/mod.rs", "src/abi/calls.rs", "src/abi/look.rs", "src/abi/regions.rs", "src/abi/labview.rs"];

/// The prefix of each enumeration's names.
const PREFIXES: [(&str, &str); 8] = [
    ("Code", "RHEED_"),
    ("State", "RHEED_STATE_"),
    ("Health", "RHEED_HEALTH_"),
    ("Stat", "RHEED_STAT_"),
    ("Text", "RHEED_TEXT_"),
    ("Event", "RHEED_EVENT_"),
    ("Format", "RHEED_FORMAT_"),
    ("FrameFlag", "RHEED_FRAME_"),
];

const HEADER: &str = "include/rheed_stream.h";

/// Writes the header and LabVIEW's files.
pub fn write(root: &Path) -> Result<()> {
    for (file, text) in files(root) {
        fs::write(root.join(file), text)?;
        println!("{file} is up to date");
    }
    Ok(())
}

/// Whether the committed files are what the sources say.
pub fn check(root: &Path) -> Result<()> {
    for (file, text) in files(root) {
        let committed = fs::read_to_string(root.join(file)).unwrap_or_default();
        ensure!(committed == text, "{file} is stale: run `cargo xtask header` and commit it");
    }
    Ok(())
}

fn files(root: &Path) -> Vec<(&'static str, String)> {
    let header = generate(root);
    let mut files = labview::files(root, &header, c_name);
    files.push((HEADER, header));
    files
}

/// The header as the sources have it now.
fn generate(root: &Path) -> String {
    let mut flat = String::new();
    for source in SOURCES {
        let text = fs::read_to_string(root.join(source)).expect("the sources are there");
        let file = syn::parse_file(&text).expect("the sources are Rust");
        for item in file.items {
            flat.push_str(&flatten(item));
        }
    }
    let folder = root.join("target/header");
    fs::create_dir_all(&folder).expect("target can be written");
    let flat_file = folder.join("interface.rs");
    fs::write(&flat_file, flat).expect("target can be written");

    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is right");
    let bindings =
        cbindgen::Builder::new().with_config(config).with_src(&flat_file).generate().expect("cbindgen takes the sources");
    let mut header = Vec::new();
    bindings.write(&mut header);
    let header = String::from_utf8(header).expect("headers are text");
    with_short_comments(&with_calling_convention(&header))
}

/// What cbindgen shall see of an item: enumerations with their C names, types, and functions without their bodies' secrets.
fn flatten(item: Item) -> String {
    match item {
        Item::Enum(mut enumeration) => {
            let name = enumeration.ident.to_string();
            for variant in &mut enumeration.variants {
                variant.ident = syn::Ident::new(&c_name(&name, &variant.ident.to_string()), variant.ident.span());
            }
            quote!(#enumeration).to_string()
        }
        Item::Type(alias) => quote!(#alias).to_string(),
        Item::Macro(call) if call.mac.path.is_ident("export") => {
            let functions: Functions = call.mac.parse_body().expect("export! holds functions");
            functions.0.iter().map(Function::as_c).collect()
        }
        _ => String::new(),
    }
}

/// An enumerator's name in C.
fn c_name(enumeration: &str, variant: &str) -> String {
    let (_, prefix) = PREFIXES.iter().find(|(known, _)| *known == enumeration).expect("every enumeration has a prefix");
    format!("{prefix}{}", screaming(variant))
}

/// `EQueueFull` -> `E_QUEUE_FULL`, `Mono10Packed` -> `MONO10_PACKED`, `BayerRG8` -> `BAYER_RG8`.
fn screaming(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let after = at.checked_sub(1).map(|before| letters[before]);
        let starts_word = letter.is_ascii_uppercase()
            && after.is_some_and(|before| {
                !before.is_ascii_uppercase() || (at == 1 && letters.get(2).is_some_and(char::is_ascii_lowercase))
            });
        if starts_word {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}

struct Functions(Vec<Function>);

struct Function {
    notes: Vec<Attribute>,
    signature: syn::Signature,
}

impl Parse for Functions {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut functions = Vec::new();
        while !input.is_empty() {
            let notes = input.call(Attribute::parse_outer)?;
            input.parse::<Option<Token![const]>>()?;
            let signature = input.parse()?;
            if input.parse::<Option<syn::Ident>>()?.is_some() {
                input.parse::<syn::Block>()?; // first { .. }
            }
            input.parse::<syn::Block>()?;
            if input.parse::<Option<Token![else]>>()?.is_some() {
                input.parse::<syn::Block>()?;
            }
            functions.push(Function { notes, signature });
        }
        Ok(Functions(functions))
    }
}

impl Function {
    fn as_c(&self) -> String {
        let Function { notes, signature } = self;
        quote!(#(#notes)* #[unsafe(no_mangle)] pub extern "C" #signature { loop {} }).to_string()
    }
}

fn with_calling_convention(header: &str) -> String {
    let mut out = String::new();
    for line in header.lines() {
        let function = line.find("rheed_").filter(|at| {
            let (before, after) = line.split_at(*at);
            let is_type = before.ends_with("int32_t ") || before.ends_with("char *");
            is_type && !before.contains('(') && !before.contains("typedef") && after.contains('(')
        });
        match function {
            Some(at) => out.push_str(&format!("{}RHEED_CALL {}", &line[..at], &line[at..])),
            None if line.starts_with("typedef") => out.push_str(&line.replace("(*rheed_", "(RHEED_CALL *rheed_")),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// A comment of one line takes one line.
fn with_short_comments(header: &str) -> String {
    let lines: Vec<&str> = header.lines().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < lines.len() {
        let indent = &lines[at][..lines[at].len() - lines[at].trim_start().len()];
        match lines.get(at..at + 3) {
            Some([open, text, close]) if open.trim() == "/**" && close.trim() == "*/" => {
                out.push_str(&format!("{indent}/** {} */\n", text.trim().trim_start_matches("* ")));
                at += 3;
            }
            _ => {
                out.push_str(&format!("{}\n", lines[at].trim_end()));
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_headers_and_labviews_files_are_what_the_sources_say() {
        check(&crate::project_root()).unwrap();
    }

    #[test]
    fn names_become_c_names() {
        for (name, c_name) in [
            ("Ok", "OK"),
            ("EQueueFull", "E_QUEUE_FULL"),
            ("WLoss", "W_LOSS"),
            ("FramesAccepted", "FRAMES_ACCEPTED"),
            ("Mono10Packed", "MONO10_PACKED"),
            ("Mono10p", "MONO10P"),
            ("BayerRG8", "BAYER_RG8"),
            ("Yuyv", "YUYV"),
        ] {
            assert_eq!(screaming(name), c_name);
        }
    }
}
