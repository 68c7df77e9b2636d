//! Whatever a service answers, the client says what is wrong with it, and keeps its key to itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rheed_stream::fuzzing::answer(input));
