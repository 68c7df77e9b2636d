//! Any options text is taken or refused with a message that names what is wrong; how it is laid out makes no difference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rheed_stream::options::Options;

/// What is tried: no file of this computer is read, and nothing of its environment counts.
const BASE: &str = "spool_dir=/spool\nendpoint=none\nstream_name=fuzz\n";

fuzz_target!(|text: &str| {
    if text.contains("api_key_file") {
        return;
    }
    for text in [text.to_string(), format!("{BASE}{text}"), format!("{BASE}fps=10\n{text}")] {
        look(&text, Options::for_stream);
        look(&text, Options::for_resume);
    }
});

fn look<E: std::fmt::Display>(text: &str, read: impl Fn(&str) -> Result<Options, E>) {
    let told = read(text);
    match &told {
        Ok(options) => {
            assert!(options.fps == 0.0 || (1e-3..=1e4).contains(&options.fps));
            // A resume asks for no chunk size, and takes any.
            assert!(options.chunk_size == 0 || options.chunk_size <= 1_000_000);
            assert!((1 << 20..=64 << 30).contains(&options.queue_bytes) && options.stream_name.len() <= 255);
            assert!(options.spool_dir.is_absolute() && (8..=16).contains(&options.significant_bits));
        }
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty() && said.len() < 2000, "{} bytes are said", said.len());
            assert!(!said.contains('\n') && !said.contains('\u{1b}'), "{said:?}");
            let names = said.starts_with("line ")
                || said.contains("is no option")
                || said.contains("API key")
                || said.split(' ').next().is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!(names, "what is wrong is not named: {said}");
        }
    }
    // The same lines as another editor writes them.
    let lines: Vec<&str> = text.lines().collect();
    let other = format!("\u{feff}# a comment\r\n{}", lines.join("  \r\n\r\n"));
    let again = read(&other);
    assert_eq!(told.is_ok(), again.is_ok(), "{text:?} and {other:?} are not the same");
    if let (Ok(told), Ok(again)) = (told, again)
        && told.stream_name == again.stream_name
    {
        assert_eq!(format!("{told:?}"), format!("{again:?}"));
    }
}
