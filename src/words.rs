//! Words in messages: what others said becomes one line that no terminal obeys, and what is secret is left out.

use std::borrow::Cow;
use std::fmt;

/// A text that no message may show, not even a `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes it in.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for those who have to send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Secrets that whoever was told them may repeat, and what stands in their place.
#[derive(Clone, Default)]
pub struct Mask {
    forms: Vec<(String, &'static str)>,
}

impl Mask {
    /// Another secret. Error pages repeat it as it is, in JSON, or in a URL.
    pub fn add(&mut self, secret: &str, instead: &'static str) {
        let json = serde_json::Value::from(secret).to_string();
        let escaped = in_url(secret, |byte| format!("%{byte:02X}"));
        let in_lower_case = in_url(secret, |byte| format!("%{byte:02x}"));
        for form in [secret, &json[1..json.len() - 1], &escaped, &in_lower_case] {
            if !form.is_empty() && !self.forms.iter().any(|(known, _)| known == form) {
                // Longest first, so that none is torn by one that is a part of it.
                let place = self.forms.partition_point(|(longer, _)| longer.len() >= form.len());
                self.forms.insert(place, (form.into(), instead));
            }
        }
    }

    /// Whether a text repeats one of them, in whatever case.
    pub fn are_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.forms.iter().any(|(form, _)| text.contains(&form.to_lowercase()))
    }

    /// The text without the secrets.
    pub fn hide(&self, text: &str) -> String {
        let mut hidden = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let secret = self.forms.iter().find(|(form, _)| rest.starts_with(form));
            hidden.push_str(secret.map_or(&rest[..first.len_utf8()], |(_, instead)| instead));
            rest = &rest[secret.map_or(first.len_utf8(), |(form, _)| form.len())..];
        }
        hidden
    }
}

/// As `encodeURIComponent` writes it.
fn in_url(text: &str, escape: impl Fn(u8) -> String) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).into() } else { escape(byte) }).collect()
}

/// At most so many characters, on one line.
pub fn one_line(text: &str, most: usize) -> String {
    let line: String = text.chars().take(most).map(|c| if is_obeyed(c) { ' ' } else { c }).collect();
    line.trim().into()
}

/// The same for a text of any length, which is mostly harmless already.
pub fn harmless(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.contains(is_obeyed) { one_line(&text, usize::MAX).into() } else { text }
}

/// What a terminal or an editor obeys instead of showing it: control characters, other ends of lines, turns of direction.
fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_become_one_line_that_no_terminal_obeys() {
        assert_eq!(one_line("a\r\nb\u{7}\n", 100), "a  b");
        assert_eq!(one_line("\u{1b}[31mred\u{9b}2J\u{2028}new\u{202e}line", 100), "[31mred 2J new line");
        assert_eq!(one_line("Bi₂Se₃ auf Saphir", 6), "Bi₂Se₃");
        assert!(matches!(harmless("as it is".into()), Cow::Borrowed(_)));
    }

    #[test]
    fn a_secret_is_hidden_in_every_form_in_which_it_is_repeated() {
        let mut mask = Mask::default();
        mask.add("k\"&y/1", "[key]");
        mask.add("k", "[short]");
        let repeated = "k\"&y/1, k\\\"&y/1, k%22%26y%2F1, k%22%26y%2f1";
        assert_eq!(mask.hide(&format!("{repeated}: ok")), "[key], [key], [key], [key]: o[short]");
        assert_eq!(format!("{:?}", Secret::new("key")), "[secret]");
    }
}
