//! The headers: any C or C++ compiler takes them without a word, and their numbers are the library's.

mod support;

use rheed_stream::codes::{ABI, Code, Event, Format, FrameFlag, Health, NO_FRAME_ID, Stat, State, Text};
use std::collections::BTreeMap;
use support::{Dialect, Linked, Workshop, root, run, skip};

const C_STANDARDS: [&str; 4] = ["c99", "c11", "c17", "gnu99"];
const CPP_STANDARDS: [&str; 4] = ["c++11", "c++14", "c++17", "c++20"];

/// The system's compilers and, where it is installed, clang.
fn dialects(language: &str, standards: &[&str]) -> Vec<Dialect> {
    let system: fn(&str) -> Dialect = if language == "c" { Dialect::c } else { Dialect::cpp };
    let clang = if language == "c" { "clang" } else { "clang++" };
    let mut dialects: Vec<Dialect> = standards.iter().map(|standard| system(standard)).collect();
    if support::is_command(clang) {
        dialects.extend(standards.iter().map(|standard| Dialect::by(clang, language, standard)));
    } else {
        skip("the headers with clang", "clang is not installed");
    }
    dialects
}

#[test]
fn the_header_compiles_alone_and_twice_in_every_dialect() {
    let workshop = Workshop::new();
    let once = workshop.write("once.c", "#include \"rheed_stream.h\"\n");
    let twice = workshop.write("twice.c", "#include \"rheed_stream.h\"\n#include \"rheed_stream.h\"\n");
    for dialect in [dialects("c", &C_STANDARDS), dialects("c++", &CPP_STANDARDS)].concat() {
        workshop.check(&dialect, &once);
        workshop.check(&dialect, &twice);
    }
}

#[test]
fn the_cpp_header_compiles_alone_and_twice_in_cpp17_and_later() {
    let workshop = Workshop::new();
    let once = workshop.write("once.cpp", "#include \"rheed_stream.hpp\"\n");
    let twice = workshop.write("twice.cpp", "#include \"rheed_stream.hpp\"\n#include \"rheed_stream.hpp\"\n");
    for dialect in dialects("c++", &["c++17", "c++20"]) {
        workshop.check(&dialect, &once);
        workshop.check(&dialect, &twice);
    }
}

/// The Rust side of every enumerator, under its C name.
fn rust_numbers() -> BTreeMap<&'static str, i64> {
    macro_rules! numbers {
        ($($kind:ident { $($variant:ident = $name:literal),* $(,)? })*) => {
            BTreeMap::from([$($(($name, $kind::$variant as i64)),*),*])
        };
    }
    numbers! {
        Code {
            Ok = "RHEED_OK", WPending = "RHEED_W_PENDING", WLoss = "RHEED_W_LOSS", WTruncated = "RHEED_W_TRUNCATED",
            EArgument = "RHEED_E_ARGUMENT", EHandle = "RHEED_E_HANDLE", EOption = "RHEED_E_OPTION", EFormat = "RHEED_E_FORMAT",
            EQueueFull = "RHEED_E_QUEUE_FULL", EClosed = "RHEED_E_CLOSED", EAuth = "RHEED_E_AUTH", ERefused = "RHEED_E_REFUSED",
            ENetwork = "RHEED_E_NETWORK", ESpool = "RHEED_E_SPOOL", EDiskFull = "RHEED_E_DISK_FULL",
            ETimeout = "RHEED_E_TIMEOUT", ENotFound = "RHEED_E_NOT_FOUND", EForked = "RHEED_E_FORKED",
            EAborted = "RHEED_E_ABORTED", EInternal = "RHEED_E_INTERNAL",
        }
        State {
            Connecting = "RHEED_STATE_CONNECTING", Offline = "RHEED_STATE_OFFLINE", Streaming = "RHEED_STATE_STREAMING",
            Spooling = "RHEED_STATE_SPOOLING", Finalizing = "RHEED_STATE_FINALIZING", Finalized = "RHEED_STATE_FINALIZED",
            Aborted = "RHEED_STATE_ABORTED", Fault = "RHEED_STATE_FAULT",
        }
        Health { Good = "RHEED_HEALTH_GOOD", Look = "RHEED_HEALTH_LOOK", Act = "RHEED_HEALTH_ACT" }
        Stat {
            State = "RHEED_STAT_STATE", Health = "RHEED_STAT_HEALTH", FramesAccepted = "RHEED_STAT_FRAMES_ACCEPTED",
            FramesConfirmed = "RHEED_STAT_FRAMES_CONFIRMED", FramesPending = "RHEED_STAT_FRAMES_PENDING",
            FramesLost = "RHEED_STAT_FRAMES_LOST", FramesDropped = "RHEED_STAT_FRAMES_DROPPED",
            FramesRejected = "RHEED_STAT_FRAMES_REJECTED", FramesMissed = "RHEED_STAT_FRAMES_MISSED",
            FramesIncomplete = "RHEED_STAT_FRAMES_INCOMPLETE", ChunksSealed = "RHEED_STAT_CHUNKS_SEALED",
            ChunksConfirmed = "RHEED_STAT_CHUNKS_CONFIRMED", ChunksPending = "RHEED_STAT_CHUNKS_PENDING",
            ChunksLost = "RHEED_STAT_CHUNKS_LOST", BytesRaw = "RHEED_STAT_BYTES_RAW", BytesShards = "RHEED_STAT_BYTES_SHARDS",
            BytesSent = "RHEED_STAT_BYTES_SENT", QueueFrames = "RHEED_STAT_QUEUE_FRAMES", SpoolBytes = "RHEED_STAT_SPOOL_BYTES",
            SpoolSecondsLeft = "RHEED_STAT_SPOOL_SECONDS_LEFT", DiskFreeBytes = "RHEED_STAT_DISK_FREE_BYTES",
            LastFrameAgeMs = "RHEED_STAT_LAST_FRAME_AGE_MS", LastConfirmedAgeMs = "RHEED_STAT_LAST_CONFIRMED_AGE_MS",
            FpsMilli = "RHEED_STAT_FPS_MILLI", FramesLeftOut = "RHEED_STAT_FRAMES_LEFT_OUT",
            CameraStalls = "RHEED_STAT_CAMERA_STALLS", CameraClockOffsetNs = "RHEED_STAT_CAMERA_CLOCK_OFFSET_NS",
            CameraClockBoundNs = "RHEED_STAT_CAMERA_CLOCK_BOUND_NS",
        }
        Text {
            DataId = "RHEED_TEXT_DATA_ID", LocalId = "RHEED_TEXT_LOCAL_ID", Status = "RHEED_TEXT_STATUS",
            LastError = "RHEED_TEXT_LAST_ERROR", Report = "RHEED_TEXT_REPORT", SpoolDir = "RHEED_TEXT_SPOOL_DIR",
            LogFile = "RHEED_TEXT_LOG_FILE",
        }
        Event {
            None = "RHEED_EVENT_NONE", Connected = "RHEED_EVENT_CONNECTED", Offline = "RHEED_EVENT_OFFLINE",
            ChunkConfirmed = "RHEED_EVENT_CHUNK_CONFIRMED", ChunkSetAside = "RHEED_EVENT_CHUNK_SET_ASIDE",
            FramesLost = "RHEED_EVENT_FRAMES_LOST", FramesMissed = "RHEED_EVENT_FRAMES_MISSED", RateOff = "RHEED_EVENT_RATE_OFF",
            StampsOdd = "RHEED_EVENT_STAMPS_ODD", QueueFull = "RHEED_EVENT_QUEUE_FULL", DiskLow = "RHEED_EVENT_DISK_LOW",
            Finalized = "RHEED_EVENT_FINALIZED", Fault = "RHEED_EVENT_FAULT", Refused = "RHEED_EVENT_REFUSED",
            TakenUp = "RHEED_EVENT_TAKEN_UP", CameraStalled = "RHEED_EVENT_CAMERA_STALLED",
            CameraBack = "RHEED_EVENT_CAMERA_BACK", CameraClock = "RHEED_EVENT_CAMERA_CLOCK",
        }
        Format {
            Mono8 = "RHEED_FORMAT_MONO8", Mono10 = "RHEED_FORMAT_MONO10", Mono12 = "RHEED_FORMAT_MONO12",
            Mono14 = "RHEED_FORMAT_MONO14", Mono16 = "RHEED_FORMAT_MONO16", Mono10Packed = "RHEED_FORMAT_MONO10_PACKED",
            Mono12Packed = "RHEED_FORMAT_MONO12_PACKED", Mono10p = "RHEED_FORMAT_MONO10P", Mono12p = "RHEED_FORMAT_MONO12P",
            BayerRG8 = "RHEED_FORMAT_BAYER_RG8", Rgb8 = "RHEED_FORMAT_RGB8", Bgr8 = "RHEED_FORMAT_BGR8",
            Yuyv = "RHEED_FORMAT_YUYV", Uyvy = "RHEED_FORMAT_UYVY",
        }
        FrameFlag { Incomplete = "RHEED_FRAME_INCOMPLETE" }
    }
}

/// The names of the header's enumerators.
fn enumerators(header: &str) -> Vec<String> {
    header
        .lines()
        .filter_map(|line| line.strip_prefix("    RHEED_")?.split_once(" = "))
        .map(|(name, _)| format!("RHEED_{name}"))
        .collect()
}

#[test]
fn every_number_of_the_header_is_the_librarys() {
    let header = std::fs::read_to_string(root().join("include/rheed_stream.h")).expect("the header is there");
    let mut program = String::from("#include \"rheed_stream.h\"\n#include <stdio.h>\nint main(void) {\n");
    for name in enumerators(&header) {
        program += &format!("    printf(\"{name} %lld\\n\", (long long){name});\n");
    }
    program += "    printf(\"RHEED_ABI %d\\n\", RHEED_ABI);\n";
    program += "    printf(\"RHEED_NO_FRAME_ID %llu\\n\", (unsigned long long)RHEED_NO_FRAME_ID);\n";
    program += "    return 0;\n}\n";

    let mut expected: BTreeMap<String, String> =
        rust_numbers().into_iter().map(|(name, number)| (name.to_string(), number.to_string())).collect();
    expected.insert("RHEED_ABI".into(), ABI.to_string());
    expected.insert("RHEED_NO_FRAME_ID".into(), NO_FRAME_ID.to_string());

    let workshop = Workshop::new();
    let source = workshop.write("numbers.c", &program);
    for dialect in [Dialect::c("c99"), Dialect::cpp("c++11")] {
        let said = run(&workshop.build(&dialect, &source, Linked::No), [""; 0]).well().out;
        let numbers: BTreeMap<String, String> =
            said.lines().filter_map(|line| line.split_once(' ')).map(|(name, number)| (name.into(), number.into())).collect();
        assert_eq!(numbers, expected, "{dialect:?}");
    }
}
