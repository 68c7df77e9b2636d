//! Options that set up how frames are kept.
#![cfg(feature = "receiver")]

mod support;

use support::host::{FRAME_BYTES, OK, Stream};
use support::spool::with;
use support::{Workshop, service};

#[test]
fn frames_are_the_same_at_every_compression_level() {
    for level in ["-20", "1", "9", "auto"] {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let level = format!("compression_level={level}");
        let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10", &level]));
        stream.push_counted(0, 20);
        assert_eq!(stream.finalize(-1), OK);
        let expected: Vec<u8> = (0..20u8).flat_map(|shade| [shade; FRAME_BYTES]).collect();
        assert!(service::pixels(&service::only_stream(&service)) == expected, "{level}");
    }
}
