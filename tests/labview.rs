//! LabVIEW's kit says what the header says: its flat header, its page of settings, its error texts, its picture.

mod support;

use rheed_stream::codes::Code;
use std::collections::BTreeMap;
use std::process::Command;
use support::declarations::{Function, Parameter, functions};
use support::{MustSucceed, Workshop, root};

/// They call a function of the caller's, which a diagram has none to give.
const CALLING_BACK: [&str; 2] = ["rheed_run", "rheed_set_log"];
/// Named on the Callbacks tab: LabVIEW calls them, no node does.
const PROCEDURES: [&str; 3] = ["rheed_labview_reserve", "rheed_labview_unreserve", "rheed_labview_abort"];

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The functions that nodes call, as the header declares them.
fn of_nodes() -> Vec<Function> {
    let mut all = functions(&read("include/rheed_stream.h"));
    assert!(all.len() >= 24, "{all:?}");
    all.retain(|it| !CALLING_BACK.contains(&it.name.as_str()) && !PROCEDURES.contains(&it.name.as_str()));
    all
}

/// The rows of the page's table whose head begins with these cells.
fn rows(page: &str, head: &str) -> Vec<Vec<String>> {
    let (_, table) = page.split_once(&format!("\n| {head}")).unwrap_or_else(|| panic!("the page has no table {head:?}"));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    table.lines().skip(2).take_while(|line| line.starts_with('|')).map(cells).collect()
}

#[test]
fn only_functions_that_call_back_are_kept_from_labview() {
    let all = functions(&read("include/rheed_stream.h"));
    let calls_back =
        |it: &&Function| it.parameters.iter().any(|it| ["rheed_source", "rheed_log_callback"].contains(&it.kind.as_str()));
    let names: Vec<&str> = all.iter().filter(calls_back).map(|it| it.name.as_str()).collect();
    assert_eq!(names, CALLING_BACK);
}

/// The wizard's words for C's types.
fn flat(kind: &str) -> String {
    match kind {
        "const void *" => "const unsigned char *".into(),
        "const char *" | "char *" | "void *" | "void **" => kind.into(),
        _ => match kind.strip_suffix(" *") {
            Some(pointed) => format!("{} *", flat(pointed)),
            None => match kind {
                "rheed_stream" | "uint64_t" => "unsigned long long".into(),
                "int64_t" => "long long".into(),
                "uint32_t" => "unsigned int".into(),
                "int32_t" => "int".into(),
                "double" => "double".into(),
                other => panic!("no type of the wizard's stands for {other}"),
            },
        },
    }
}

#[test]
fn the_flat_header_declares_what_the_header_declares_in_types_that_the_wizard_knows() {
    let declared = functions(&read("labview/rheed_stream_labview.h"));
    let signature = |it: &Function, word: fn(&str) -> String| {
        let parameters: Vec<String> = it.parameters.iter().map(|it| format!("{} {}", word(&it.kind), it.name)).collect();
        format!("{} {}({})", word(&it.returns), it.name, parameters.join(", "))
    };
    let flattened: Vec<String> = of_nodes().iter().map(|it| signature(it, flat)).collect();
    assert_eq!(declared.iter().map(|it| signature(it, str::to_string)).collect::<Vec<_>>(), flattened);
}

#[test]
fn the_flat_header_is_plain_c_whose_types_have_their_sizes_on_32_and_64_bits() {
    let header = read("labview/rheed_stream_labview.h");
    assert!(!header.contains('#'), "no includes and no macros");
    let workshop = Workshop::new();
    let sizes = "typedef char an_int_has_4_bytes[sizeof(int) == 4 ? 1 : -1];\n\
                 typedef char a_long_long_has_8_bytes[sizeof(long long) == 8 ? 1 : -1];\n";
    let source = workshop.write("flat.c", &format!("{header}{header}{sizes}"));
    let widths: &[&str] = if cfg!(target_arch = "x86_64") { &["-m64", "-m32"] } else { &["-pipe"] };
    for width in widths {
        let told = ["-std=c89", "-Wall", "-Wextra", "-pedantic", "-Wno-long-long", "-Werror", "-fsyntax-only"];
        Command::new("gcc").arg(width).args(told).arg(&source).must_succeed();
    }
}

/// Pointers to many numbers, by their names: the others point to one.
const ARRAYS: [&str; 7] = ["values", "times_ns", "frame_ids", "flags", "means", "maxima", "sums"];

fn is_array(it: &Parameter) -> bool {
    ARRAYS.contains(&it.name.as_str()) && it.kind.ends_with(" *")
}

/// How a parameter is set, by its C type: LabVIEW's type, data type, and pass or format.
fn settings(it: &Parameter) -> [String; 3] {
    let number = |kind: &str| match kind {
        "rheed_stream" | "uint64_t" => "Unsigned 64-bit Integer",
        "int64_t" => "Signed 64-bit Integer",
        "uint32_t" => "Unsigned 32-bit Integer",
        "int32_t" => "Signed 32-bit Integer",
        "double" => "8-byte Double",
        "void *" => "Unsigned Pointer-sized Integer",
        other => panic!("{other} is no number of LabVIEW's"),
    };
    let one = |kind: &str, data: String, pass: &str| [kind.to_string(), data, pass.to_string()];
    match it.kind.as_str() {
        "void **" if it.name == "instance" => one("Instance Data Pointer", "-".into(), "-"),
        "const char *" => one("String", "-".into(), "C String Pointer, Constant"),
        "char *" => one("String", "-".into(), "C String Pointer"),
        "const void *" => {
            let dimensions = if it.name == "frames" { 3 } else { 2 };
            one("Array", format!("Unsigned 8-bit Integer, {dimensions} dimensions"), "Array Data Pointer, Constant")
        }
        kind if is_array(it) => {
            let of = kind.strip_suffix(" *").expect("an array is a pointer");
            one("Array", format!("{}, 1 dimension", number(of)), "Array Data Pointer")
        }
        "void **" => one("Numeric", number("void *").into(), "Pointer to Value"),
        "void *" => one("Numeric", number("void *").into(), "Value"),
        kind => match kind.strip_suffix(" *") {
            Some(pointed) => one("Numeric", number(pointed).into(), "Pointer to Value"),
            None => one("Numeric", number(kind).into(), "Value"),
        },
    }
}

#[test]
fn every_node_is_set_as_the_header_declares_its_function() {
    let page = read("labview/README.md");
    let mut rows = rows(&page, "function | parameter |").into_iter();
    for function in of_nodes() {
        let row = rows.next().unwrap_or_else(|| panic!("no row for {}", function.name));
        let [kind, data, format] = match function.returns.as_str() {
            "int32_t" => ["Numeric", "Signed 32-bit Integer", "-"],
            "const char *" => ["String", "-", "C String Pointer"],
            other => panic!("{other}"),
        };
        assert_eq!(row, [&function.name, "return", kind, data, format, "-"]);
        for parameter in &function.parameters {
            let row = rows.next().unwrap_or_else(|| panic!("no row for {} of {}", parameter.name, function.name));
            let [kind, data, format] = &settings(parameter);
            assert_eq!(row[..5], ["", &parameter.name, kind, data, format], "{}", function.name);
            // What the library writes into has room for what it is told: the size that comes behind, or behind the last of several.
            let is_written = parameter.kind == "char *" || is_array(parameter);
            let mut behind = function.parameters.iter().skip_while(|it| it.name != parameter.name);
            let size = behind.find(|it| it.kind == "int32_t").filter(|_| is_written);
            assert_eq!(row[5], size.map_or("-", |size| &size.name), "{} of {}", parameter.name, function.name);
            assert_eq!(size.is_some(), is_written);
        }
    }
    assert_eq!(rows.next(), None, "a row too many");
}

#[test]
fn the_page_says_which_functions_wait_as_the_header_does() {
    let page = read("labview/README.md");
    let rows = rows(&page, "function | waits |");
    let of_nodes = of_nodes();
    assert_eq!(rows.iter().map(|row| &row[0]).collect::<Vec<_>>(), of_nodes.iter().map(|it| &it.name).collect::<Vec<_>>());
    for (row, function) in rows.iter().zip(&of_nodes) {
        let says_no = row[1] == "no" || row[1].starts_with("no;");
        assert_eq!(says_no, function.says.to_lowercase().contains("never wait"), "{row:?}");
        assert_eq!(row[1] == "timeout_ms", function.parameters.iter().any(|it| it.name == "timeout_ms"), "{row:?}");
    }
}

#[test]
fn every_code_has_its_text_in_the_ranges_that_labview_leaves_to_its_users() {
    let texts = read("labview/rheed_stream-errors.txt");
    assert!(texts.is_ascii(), "it is read in whatever code page the computer has");
    let told: BTreeMap<i32, &str> = texts
        .split("<nierror code=\"")
        .skip(1)
        .map(|rest| {
            let (code, rest) = rest.split_once("\">").expect("a tag ends");
            let (text, _) = rest.split_once("</nierror>").expect("an element ends");
            (code.parse().expect("a code is a number"), text.trim())
        })
        .collect();
    let expected: Vec<i32> = Code::ALL.into_iter().map(|code| code as i32).filter(|code| *code != 0).collect();
    // As the page has it.
    let in_labview = |code: i32| if code < 0 { code - 8700 } else { code + 8700 };
    assert_eq!(told.len(), expected.len());
    for code in expected {
        let number = in_labview(code);
        assert!((-8999..=-8000).contains(&number) || (5000..=9999).contains(&number));
        assert!(told.get(&number).is_some_and(|text| text.contains(&format!("({code}): "))), "{code}");
    }
    let page = read("labview/README.md");
    let said = [
        "code   = code - 8700 if code < 0,   code + 8700 if code > 0",
        "is the error -8705",
        "the warning 8701",
        "wire its input *is warning?* from `code > 0`",
    ];
    for said in said {
        assert!(page.contains(said), "{said}");
    }
    let python = "import sys, xml.dom.minidom as xml; xml.parse(sys.argv[1]); xml.parse(sys.argv[2])";
    let files = ["labview/rheed_stream-errors.txt", "labview/order_of_calls.svg"].map(|file| root().join(file));
    Command::new("python3").args(["-c", python]).args(files).must_succeed();
}

#[test]
fn the_page_gives_the_path_that_labview_completes_to_the_dll_of_its_own_width() {
    let page = read("labview/README.md");
    // Two asterisks: nothing or `_64`. One: `32` or `64`, which no DLL is called.
    assert!(page.contains("give every node the path `rheed_stream**.*`"));
    assert_eq!(page.matches("rheed_stream*").count(), 1);
    for width in ["", "_64"] {
        let dll = "rheed_stream**.*".replace("**", width).replace(".*", ".dll");
        assert!(page.contains(&format!("`{dll}`")), "{dll}");
    }
}

#[test]
fn page_and_picture_name_no_function_that_is_not_there() {
    let names: Vec<String> = functions(&read("include/rheed_stream.h")).into_iter().map(|it| it.name).collect();
    let others = ["rheed_stream", "rheed_stream_64", "rheed_stream_labview"];
    for file in ["labview/README.md", "labview/order_of_calls.svg"] {
        let text = read(file);
        for word in text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_').filter(|word| word.starts_with("rheed_")) {
            assert!(names.iter().any(|name| name == word) || others.contains(&word), "{file} names {word}");
        }
    }
    let page = read("labview/README.md");
    assert_eq!(rows(&page, "procedure |").iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), PROCEDURES);
}
