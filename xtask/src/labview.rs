//! Makes LabVIEW's copies of what the sources say: a header that its import wizard can read, its file of error texts, and a page
//! of all numbers, since its diagrams know no enumerators of C.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use syn::{Expr, Item, ItemEnum, Lit, Meta};

/// What is made, and from what: the header as C has it, and the enumerations of `src/codes.rs` under their C names.
pub fn files(root: &Path, header: &str, c_name: impl Fn(&str, &str) -> String) -> Vec<(&'static str, String)> {
    let text = fs::read_to_string(root.join("src/codes.rs")).expect("the sources are there");
    let enumerations = syn::parse_file(&text).expect("the sources are Rust").items.into_iter().filter_map(|item| match item {
        Item::Enum(enumeration) => Some(Enumeration::read(&enumeration, &c_name)),
        _ => None,
    });
    let enumerations: Vec<Enumeration> = enumerations.collect();
    vec![
        ("labview/rheed_stream_labview.h", flat_header(header)),
        ("labview/rheed_stream-errors.txt", error_texts(&enumerations)),
        ("labview/numbers.md", numbers(&enumerations)),
    ]
}

/// What no node can call, and why.
const LEFT_OUT: [(&str, &str); 5] = [
    ("rheed_run", "calls a function of the caller's, and a diagram has none: push in a timed loop"),
    ("rheed_set_log", "calls a function of the caller's: read the log file and rheed_next_event"),
    ("rheed_labview_reserve", "for the Callbacks tab: LabVIEW calls it by itself"),
    ("rheed_labview_unreserve", "for the Callbacks tab: LabVIEW calls it by itself"),
    ("rheed_labview_abort", "for the Callbacks tab: LabVIEW calls it by itself"),
];

/// C's types as the import wizard knows them: it has no <stdint.h>, and would take `void *` for a number of 32 bits.
const TYPES: [(&str, &str); 6] = [
    ("rheed_stream ", "unsigned long long "),
    ("uint64_t ", "unsigned long long "),
    ("int64_t ", "long long "),
    ("uint32_t ", "unsigned int "),
    ("int32_t ", "int "),
    ("const void *", "const unsigned char *"),
];

fn flat_header(header: &str) -> String {
    let mut out = String::from(
        "/*\n * rheed-stream for LabVIEW's import wizard: rheed_stream.h without includes, macros, enumerators and callbacks. README.md tells\n \
         * what to set by hand afterwards, rheed_stream.h what each function does, numbers.md the numbers. Made from the sources by\n \
         * `cargo xtask header`. C programs include rheed_stream.h, not this.\n *\n * Left out:\n",
    );
    for (name, why) in LEFT_OUT {
        writeln!(out, " *   {name}: {why}").expect("a string takes all");
    }
    out.push_str(" *\n * SPDX-License-Identifier: MIT OR Apache-2.0\n */\n");
    for function in Function::all(header).iter().filter(|function| LEFT_OUT.iter().all(|(name, _)| *name != function.name)) {
        write!(out, "\n/* {} */\n{}\n", function.summary, function.flat()).expect("a string takes all");
    }
    out
}

/// A function as the header declares it.
struct Function {
    name: String,
    summary: String,
    declaration: String,
}

impl Function {
    fn all(header: &str) -> Vec<Function> {
        let lines: Vec<&str> = header.lines().collect();
        let begins = |at: &usize| lines[*at].contains("RHEED_CALL rheed_") && !lines[*at].starts_with("typedef");
        (0..lines.len()).filter(begins).map(|at| Function::read(&lines, at)).collect()
    }

    fn read(lines: &[&str], at: usize) -> Function {
        let end = at + lines[at..].iter().position(|line| line.ends_with(';')).expect("a declaration ends");
        let declaration = lines[at..=end].iter().flat_map(|line| line.split_whitespace()).collect::<Vec<_>>().join(" ");
        let (_, after) = declaration.split_once("RHEED_CALL ").expect("it is a function");
        let name = after.split('(').next().unwrap_or_default().to_string();
        let begin = lines[..at].iter().rposition(|line| line.starts_with("/**")).expect("every function has a comment");
        let comment: Vec<&str> =
            lines[begin..at].iter().map(|line| line.trim_matches(['/', '*', ' '])).filter(|line| !line.is_empty()).collect();
        let comment = comment.join(" ");
        // A sentence ends where the next one begins: "e.g. this" is none.
        let is_end = |at: &usize| comment[*at..].trim_start_matches(". ").starts_with(char::is_uppercase);
        let end = comment.match_indices(". ").map(|(at, _)| at).find(is_end).map_or(comment.len(), |at| at + 1);
        let summary = comment[..end].to_string();
        Function { name, summary, declaration }
    }

    fn flat(&self) -> String {
        let declaration = self.declaration.replace("RHEED_CALL ", "");
        TYPES.iter().fold(declaration, |text, (c, flat)| {
            // A type stands at the beginning, or behind what comes before a parameter.
            let text = text.strip_prefix(c).map_or(text.clone(), |rest| format!("{flat}{rest}"));
            ["(", ", "].iter().fold(text, |text, before| text.replace(&format!("{before}{c}"), &format!("{before}{flat}")))
        })
    }
}

/// An enumeration of `src/codes.rs`.
struct Enumeration {
    name: String,
    says: String,
    /// C name, number, comment.
    numbers: Vec<(String, i64, String)>,
}

impl Enumeration {
    fn read(item: &ItemEnum, c_name: impl Fn(&str, &str) -> String) -> Enumeration {
        let name = item.ident.to_string();
        let numbers = item.variants.iter().map(|variant| {
            let (_, value) = variant.discriminant.as_ref().expect("every number is written out");
            let number = quote::quote!(#value).to_string().replace([' ', '_'], "");
            let number = match number.strip_prefix("0x") {
                Some(hex) => i64::from_str_radix(hex, 16),
                None => number.parse(),
            };
            (c_name(&name, &variant.ident.to_string()), number.expect("a number"), comment(&variant.attrs))
        });
        Enumeration { numbers: numbers.collect(), says: comment(&item.attrs), name }
    }
}

fn comment(attributes: &[syn::Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_string()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// LabVIEW leaves 5000 to 9999 and -8999 to -8000 to its users. So an error keeps its sign and a warning, too.
const BASE: i64 = 8700;

fn in_labview(code: i64) -> i64 {
    code + code.signum() * BASE
}

fn codes(enumerations: &[Enumeration]) -> impl Iterator<Item = &(String, i64, String)> {
    enumerations.iter().filter(|it| it.name == "Code").flat_map(|it| &it.numbers).filter(|(_, code, _)| *code != 0)
}

fn error_texts(enumerations: &[Enumeration]) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<nidocument>\n<nicomment>\nrheed-stream's codes for LabVIEW's error \
         clusters: 8700 is added to a warning and taken from an error.\nMade from the sources by cargo xtask header. Goes to \
         user.lib\\errors of LabVIEW.\n<nifamily familyname=\"rheed-stream\" displayname=\"rheed-stream\">\n</nifamily>\n\
         </nicomment>\n",
    );
    for (name, code, says) in codes(enumerations) {
        let says = says.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let number = in_labview(*code);
        write!(out, "<nierror code=\"{number}\">\n{name} ({code}): {says}\n</nierror>\n").expect("a string takes all");
    }
    out + "</nidocument>\n"
}

fn numbers(enumerations: &[Enumeration]) -> String {
    let mut out = String::from(
        "# Numbers for LabVIEW\n\nWhat C programs have as enumerators, for rings, enums and constants on a diagram. Made from the sources by `cargo \
         xtask header`.\n\n## Codes\n\nWhat every function returns, and what an error cluster takes instead: 8700 is added to a warning and taken from \
         an error.\n`RHEED_OK` is 0 in both.\n\n| returned | in LabVIEW | name | meaning |\n| --- | --- | --- | --- |\n",
    );
    for (name, code, says) in codes(enumerations) {
        writeln!(out, "| {code} | {} | `{name}` | {says} |", in_labview(*code)).expect("a string takes all");
    }
    let titles = [
        ("Stat", "Statistics"),
        ("State", "States"),
        ("Health", "Health"),
        ("Text", "Texts"),
        ("Event", "Events"),
        ("Format", "Pixel formats"),
        ("FrameFlag", "Flags"),
    ];
    for (name, title) in titles {
        let it = enumerations.iter().find(|it| it.name == name).expect("every enumeration is there");
        write!(out, "\n## {title}\n\n{}\n\n| number | name | meaning |\n| --- | --- | --- |\n", it.says)
            .expect("a string takes all");
        for (name, number, says) in &it.numbers {
            writeln!(out, "| {number} | `{name}` | {says} |").expect("a string takes all");
        }
    }
    out + "\nA frame without an id has `RHEED_NO_FRAME_ID`: 18446744073709551615, in a U64 constant xFFFFFFFFFFFFFFFF.\n"
}
