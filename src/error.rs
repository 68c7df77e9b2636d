//! What goes wrong: a code for the program and a sentence for the person.

use crate::codes::Code;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A failure as it goes to C. The sentence names what was wrong and what would be right.
#[derive(Clone, Debug)]
pub struct Error {
    /// For the program.
    pub code: Code,
    message: Message,
}

#[derive(Clone, Debug)]
enum Message {
    /// Copied without an allocation, as all others.
    Text(Arc<str>),
    /// What it is about, and the rest of the sentence.
    Named(&'static str, &'static str),
    /// Each `{}` stands for the next number, `{x}` for it as codes are written. Filled in only when somebody reads it, since a refused
    /// push must not allocate.
    Template(&'static str, [u64; 4]),
}

/// The library's results.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure with its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error { code, message: Message::Text(message.into().into()) }
    }

    /// A failure that costs no allocation: `{}` in the template stands for the next of the numbers, `{x}` for it in hexadecimal.
    pub const fn plain(code: Code, template: &'static str, numbers: [u64; 4]) -> Error {
        Error { code, message: Message::Template(template, numbers) }
    }

    /// A failure that costs no allocation, whose sentence begins with a name.
    pub const fn named(code: Code, name: &'static str, sentence: &'static str) -> Error {
        Error { code, message: Message::Named(name, sentence) }
    }

    /// RHEED_E_ARGUMENT with a fixed sentence.
    pub const fn argument(message: &'static str) -> Error {
        Error::plain(Code::EArgument, message, [0; 4])
    }

    /// The sentence; a fixed one costs no allocation.
    pub fn text(&self) -> Cow<'static, str> {
        match self.message {
            Message::Template(text, _) if !text.contains('{') => text.into(),
            _ => self.to_string().into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Message::Text(text) => f.write_str(text),
            Message::Named(name, sentence) => write!(f, "{name}{sentence}"),
            Message::Template(template, numbers) => {
                let mut rest = *template;
                for number in numbers {
                    let Some((before, behind)) = rest.split_once('{') else { break };
                    let Some((form, after)) = behind.split_once('}') else { break };
                    f.write_str(before)?;
                    if form == "x" {
                        write!(f, "0x{number:08X}")?
                    } else {
                        write!(f, "{number}")?
                    }
                    rest = after;
                }
                f.write_str(rest)
            }
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_when_it_is_read() {
        let error = Error::plain(Code::EArgument, "size_bytes is {}, needed are {}", [3, 4, 0, 0]);
        assert_eq!(error.to_string(), "size_bytes is 3, needed are 4");
        let error = Error::plain(Code::EFormat, "{x} is no code of {}", [0x0108_0009, 4, 0, 0]);
        assert_eq!(error.to_string(), "0x01080009 is no code of 4");
    }
}
