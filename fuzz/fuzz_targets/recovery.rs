//! A spool that anything has happened to: what is recovered from it was once written there.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rheed_stream::fuzzing::recover(input));
