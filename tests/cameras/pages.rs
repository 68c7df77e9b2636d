//! The fragments on the pages in docs/cameras: a camera is played to each, by a stand-in of its SDK.

use crate::programs::{count, taken_and_confirmed};
use crate::support::long_run::several_at_a_time;
use crate::support::service;
use crate::support::{Dialect, Ended, Linked, Workshop, root, start_in};
use rheed_stream::receiver::Receiver;
use serde_json::Value;
use std::fs;

/// A page, and which driver in stand_ins/drive plays its fragment a camera.
struct Fragment {
    page: &'static str,
    driver: &'static str,
    /// As the page says them, for the camera that is played.
    options: &'static [&'static str],
    /// Whether the SDK says of a frame that it is incomplete.
    tells_of_damage: bool,
    /// Whether its buffers are given back by a call.
    gives_back: bool,
}

const DEVICE: &str = "timestamp_clock=device";
const NANOSECONDS: [&str; 2] = [DEVICE, "device_tick_hz=1000000000"];

const FRAGMENTS: [Fragment; 8] = [
    Fragment {
        page: "pylon",
        driver: "pylon.c",
        options: &[DEVICE, "device_tick_hz=125000000"],
        tells_of_damage: true,
        gives_back: true,
    },
    Fragment { page: "pylon", driver: "pylon.cpp", options: &NANOSECONDS, tells_of_damage: true, gives_back: false },
    Fragment { page: "spinnaker", driver: "spinnaker.c", options: &NANOSECONDS, tells_of_damage: true, gives_back: true },
    Fragment { page: "vimbax", driver: "vimbax.c", options: &NANOSECONDS, tells_of_damage: true, gives_back: true },
    Fragment { page: "ids_peak", driver: "ids_peak.cpp", options: &NANOSECONDS, tells_of_damage: true, gives_back: true },
    Fragment {
        page: "thorlabs",
        driver: "thorlabs.c",
        options: &["significant_bits=12", DEVICE, "device_tick_hz=40000000"],
        tells_of_damage: false,
        gives_back: false,
    },
    Fragment {
        page: "dcam",
        driver: "dcam.c",
        options: &["significant_bits=12", DEVICE, "device_tick_hz=1000000"],
        tells_of_damage: false,
        gives_back: false,
    },
    Fragment { page: "imaqdx", driver: "imaqdx.c", options: &["significant_bits=12"], tells_of_damage: false, gives_back: false },
];

/// As stand_ins/drive/drive.h has them.
const WIDTH: u64 = 17;
const HEIGHT: u64 = 8;
const FRAMES: u64 = 70;
const DAMAGED: u64 = 6;

/// Two are lost behind the fourth.
fn numbers() -> impl Iterator<Item = u64> {
    (1..=FRAMES + 2).filter(|number| !(5..7).contains(number))
}

/// A frame is a chunk, so that the report tells which one was amiss. The camera is faster than that, and it does not matter.
const CHUNKS_OF_ONE: [&str; 2] = ["fps=0.5", "chunk_size=1"];

impl Fragment {
    fn language(&self) -> &'static str {
        if self.driver.ends_with(".cpp") { "cpp" } else { "c" }
    }

    fn page(&self) -> String {
        let page = root().join("docs/cameras").join(self.page).with_extension("md");
        fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
    }

    /// The page's only one in its language.
    fn code(&self) -> String {
        let text = self.page();
        let fence = format!("```{}\n", self.language());
        let code: Vec<&str> = text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
        assert_eq!(code.len(), 1, "{} has {} fragments in {}", self.page, code.len(), self.language());
        code[0].to_owned()
    }

    /// Builds it with its driver, and plays it a camera with a mishap, or with none.
    #[track_caller]
    fn play(&self, mishap: &str) -> (Receiver, Ended, Workshop) {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        workshop.write("fragment.h", &self.code());
        let stand_ins = root().join("tests/cameras/stand_ins");
        let dialect = if self.language() == "c" { Dialect::c("c99") } else { Dialect::cpp("c++17") };
        let folders = [workshop.path(), &stand_ins].map(|folder| format!("-I{}", folder.display()));
        let program = workshop.build_with(&dialect, &stand_ins.join("drive").join(self.driver), Linked::Shared, &folders);
        let options = service::options(&service, &workshop);
        let given = options.iter().map(String::as_str).chain(CHUNKS_OF_ONE).chain(self.options.iter().copied());
        let ended = start_in(&[("MISHAP", mishap.to_owned())], &program, given).finish().well();
        (service, ended, workshop)
    }

    #[track_caller]
    fn brings_its_camera_in(&self) {
        let (service, ended, _workshop) = self.play("");
        let driver = self.driver;
        self.gave_back(&ended, FRAMES);
        let kept = taken_and_confirmed(&service, &ended);
        assert!(kept == numbers().flat_map(picture).collect::<Vec<u8>>(), "{driver}: other pixels");
        let stream = |word| count(&ended, "stream", word);
        assert_eq!((stream("taken"), stream("missed")), (FRAMES, 2), "{driver}: {ended:?}");
        let report: Value = serde_json::from_str(line(&ended, "report: ")).expect("the report is JSON");
        // Which ones these are, and no other.
        let amiss = report["chunks_amiss"].as_array().expect("a list").iter();
        let of =
            |what| amiss.clone().filter(move |chunk| chunk[what] != 0).map(|chunk| chunk["chunk"].as_u64()).collect::<Vec<_>>();
        assert_eq!(of("missed"), [Some(4)], "{driver}: {report:#}");
        assert_eq!(of("incomplete"), vec![Some(DAMAGED); self.tells_of_damage.into()], "{driver}: {report:#}");
        self.tells_the_time(&ended, &report);
    }

    /// Where the SDK does, every frame is stamped by the camera's clock.
    #[track_caller]
    fn tells_the_time(&self, ended: &Ended, report: &Value) {
        assert_eq!(report["frames"]["odd_stamps"], 0, "{}: {report:#}", self.driver);
        if !self.options.contains(&DEVICE) {
            return assert!(!ended.out.contains("clock: "), "{}: {ended:?}", self.driver);
        }
        // Between the stand-in's look at the clock and the push the driver may lose its core.
        const AWAY_NS: u64 = 1_000_000_000;
        let [off, bound] = ["off by", "the bound"].map(|word| count(ended, "clock", word));
        assert!(off < bound + AWAY_NS, "{}: {ended:?}", self.driver);
        let page = self.page();
        for option in self.options {
            let key = option.split('=').next().expect("a key");
            assert!(page.contains(key), "docs/cameras/{}.md does not say {key}", self.page);
        }
    }

    #[track_caller]
    fn gave_back(&self, ended: &Ended, buffers: u64) {
        let said = if self.gives_back { format!("{buffers} given back") } else { "none to give back".to_owned() };
        assert_eq!(line(ended, "sdk: "), said, "{}: {ended:?}", self.driver);
    }
}

/// The rest of the line of what a program said that begins so.
#[track_caller]
fn line<'a>(ended: &'a Ended, begins: &str) -> &'a str {
    ended.out.lines().find_map(|line| line.strip_prefix(begins)).unwrap_or_else(|| panic!("{begins}: {ended:?}"))
}

fn picture(number: u64) -> Vec<u8> {
    (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x + y + number) as u8)).collect()
}

#[test]
fn every_fragment_pushes_all_frames_once_as_they_are_and_gives_every_buffer_back() {
    several_at_a_time(FRAGMENTS.iter(), Fragment::brings_its_camera_in);
}

/// A driver, and what it is played; so many frames are taken all the same, so many buffers come back if any do, and this is said,
/// once.
struct Mishap(&'static str, &'static str, u64, u64, &'static str);

impl Mishap {
    #[track_caller]
    fn befalls(&self) {
        let Mishap(driver, mishap, taken, given_back, said) = *self;
        let fragment = FRAGMENTS.iter().find(|fragment| fragment.driver == driver).expect("a driver of a fragment");
        let (_service, ended, _workshop) = fragment.play(mishap);
        assert_eq!(count(&ended, "stream", "taken"), taken, "{driver}, {mishap}: {ended:?}");
        assert_eq!(count(&ended, "stream", "confirmed"), taken, "{driver}, {mishap}: {ended:?}");
        fragment.gave_back(&ended, given_back);
        assert_eq!(ended.err.lines().count(), usize::from(!said.is_empty()), "{driver}, {mishap}: {ended:?}");
        assert!(ended.err.contains(said), "{driver}, {mishap}: {ended:?}");
    }
}

#[test]
fn a_loop_whose_camera_is_lost_says_so_ends_and_all_that_came_is_confirmed() {
    const LOST: &str = "the camera is lost";
    let mishaps = [
        Mishap("pylon.c", "lost", 5, 5, LOST),
        Mishap("spinnaker.c", "lost", 5, 5, LOST),
        Mishap("ids_peak.cpp", "lost", 5, 5, LOST),
        Mishap("dcam.c", "lost", 4, 0, LOST),
        Mishap("imaqdx.c", "lost", 5, 0, LOST),
    ];
    several_at_a_time(mishaps.iter(), Mishap::befalls);
}

#[test]
fn a_loop_whose_wait_is_ended_to_stop_it_ends_without_a_complaint() {
    [Mishap("ids_peak.cpp", "stopped", 5, 5, ""), Mishap("dcam.c", "stopped", 4, 0, "")].iter().for_each(Mishap::befalls);
}

#[test]
fn what_is_no_intensity_or_does_not_fill_bytes_is_refused_aloud_and_every_buffer_given_back() {
    let mishaps = [
        Mishap("imaqdx.c", "colour", 0, 0, "set the camera to Mono"),
        Mishap("thorlabs.c", "colour", 0, 0, "mosaic"),
        Mishap("pylon.c", "packed", 0, FRAMES, "multiple of 4"),
        Mishap("pylon.cpp", "packed", 0, 0, "multiple of 4"),
        Mishap("vimbax.c", "packed", 0, FRAMES, "multiple of 4"),
        Mishap("ids_peak.cpp", "packed", 0, FRAMES, "multiple of 4"),
    ];
    several_at_a_time(mishaps.iter(), Mishap::befalls);
}

#[test]
fn a_camera_without_a_clock_is_recorded_and_a_buffer_that_cannot_be_read_is_given_back_told_once_and_no_end() {
    let mishaps = [
        Mishap("ids_peak.cpp", "timeless", FRAMES, FRAMES, ""),
        Mishap("thorlabs.c", "timeless", FRAMES, 0, ""),
        Mishap("ids_peak.cpp", "unreadable", FRAMES - 2, FRAMES, "no pixel format"),
    ];
    several_at_a_time(mishaps.iter(), Mishap::befalls);
}

#[test]
fn a_picture_that_reaches_beyond_its_buffers_end_is_refused_and_not_read() {
    Mishap("vimbax.c", "short", FRAMES - 1, FRAMES, "").befalls();
}

#[test]
fn a_frame_that_was_overwritten_while_it_was_copied_is_told() {
    Mishap("dcam.c", "overtaken", 14, 0, "frame 12 may be torn").befalls();
}

#[test]
fn what_the_page_on_pylon_shows_of_the_program_in_python_stands_in_it() {
    let [page, program] = ["docs/cameras/pylon.md", "examples_cameras/pypylon_camera.py"]
        .map(|file| fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}")));
    let shown: Vec<&str> = page.split("```python\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(shown.len() == 1 && program.contains(shown[0]), "{shown:?}");
}

#[test]
fn every_fragment_of_the_pages_is_played_a_camera() {
    let pages = fs::read_dir(root().join("docs/cameras")).expect("the pages are there").map(|page| page.expect("a file").path());
    let text: String = pages.map(|page| fs::read_to_string(page).expect("a page can be read")).collect();
    // One of them stands in a program.
    assert_eq!(text.matches("```c\n").count() + text.matches("```cpp\n").count(), FRAGMENTS.len() + 1);
    assert_eq!(text.matches("**not met the real SDK**").count(), FRAGMENTS.len(), "each page says so, and the first one");
}
