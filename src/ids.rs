//! Ids that go into the paths of requests, whether the service gave them or they were found in a spool.

/// Whether an id leads nowhere else than it should: one that could is none.
pub fn is_harmless(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_could_lead_elsewhere_is_none() {
        assert!(is_harmless("0198c7e2-aaaa-7000-8000-000000000001"));
        let long = "x".repeat(129);
        for hostile in ["", ".", "..", "a/b", "a\\b", "a?b", "a#b", "a%2f", "a b", "a\0b", "a\nb", "a\"b", "\u{ff0e}", &long] {
            assert!(!is_harmless(hostile), "{hostile:?}");
        }
    }
}
