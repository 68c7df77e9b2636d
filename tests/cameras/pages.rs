//! The fragments on the pages in docs/cameras: a camera is played to each, by a stand-in of its SDK.

use crate::programs::{count, taken_and_confirmed};
use crate::support::service::{self, only_stream};
use crate::support::{Dialect, Ended, Linked, Workshop, root, start_in};
use rheed_stream::receiver::Receiver;
use std::fs;

/// A page, and which driver in stand_ins/drive plays its fragment a camera.
struct Fragment {
    page: &'static str,
    driver: &'static str,
    /// What else the stream has to know.
    options: &'static [&'static str],
    /// Whether the SDK says of a frame that it is incomplete.
    tells_of_damage: bool,
}

const FRAGMENTS: [Fragment; 8] = [
    Fragment { page: "pylon", driver: "pylon.c", options: &[], tells_of_damage: true },
    Fragment { page: "pylon", driver: "pylon.cpp", options: &[], tells_of_damage: true },
    Fragment { page: "spinnaker", driver: "spinnaker.c", options: &[], tells_of_damage: true },
    Fragment { page: "vimbax", driver: "vimbax.c", options: &[], tells_of_damage: true },
    Fragment { page: "ids_peak", driver: "ids_peak.cpp", options: &[], tells_of_damage: true },
    Fragment {
        page: "thorlabs",
        driver: "thorlabs.c",
        options: &["significant_bits=12", "timestamp_clock=device", "device_tick_hz=40000000"],
        tells_of_damage: false,
    },
    Fragment { page: "dcam", driver: "dcam.c", options: &["significant_bits=12"], tells_of_damage: false },
    Fragment { page: "imaqdx", driver: "imaqdx.c", options: &["significant_bits=12"], tells_of_damage: false },
];

/// As stand_ins/drive/drive.h has them.
const WIDTH: u64 = 17;
const HEIGHT: u64 = 8;
const NUMBERS: [u64; 10] = [1, 2, 3, 4, 7, 8, 9, 10, 11, 12];

impl Fragment {
    fn language(&self) -> &'static str {
        if self.driver.ends_with(".cpp") { "cpp" } else { "c" }
    }

    /// The page's only one in its language.
    fn code(&self) -> String {
        let page = root().join("docs/cameras").join(self.page).with_extension("md");
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
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
        let given = options.iter().map(String::as_str).chain(self.options.iter().copied());
        let ended = start_in(&[("MISHAP", mishap.to_owned())], &program, given).finish().well();
        (service, ended, workshop)
    }

    #[track_caller]
    fn brings_its_camera_in(&self) {
        let (service, ended, _workshop) = self.play("");
        assert_eq!(count(&ended, "sdk", "given back"), 10, "{ended:?}");
        let kept = taken_and_confirmed(&service, &ended);
        assert!(kept == NUMBERS.iter().flat_map(|number| picture(*number)).collect::<Vec<u8>>(), "{}: other pixels", self.driver);
        let stream = |word| count(&ended, "stream", word);
        assert_eq!((stream("taken"), stream("missed")), (10, 2), "{ended:?}");
        assert_eq!(stream("incomplete"), u64::from(self.tells_of_damage), "{ended:?}");
        assert_eq!(only_stream(&service).chunks.len(), 1);
    }
}

fn picture(number: u64) -> Vec<u8> {
    (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x + y + number) as u8)).collect()
}

#[test]
fn every_fragment_pushes_all_frames_once_as_they_are_and_gives_every_buffer_back() {
    FRAGMENTS.iter().for_each(Fragment::brings_its_camera_in);
}

/// A driver, and what it is played; so many frames are taken all the same, so many buffers come back, and this is said, once.
struct Mishap(&'static str, &'static str, u64, u64, &'static str);

impl Mishap {
    #[track_caller]
    fn befalls(&self) {
        let Mishap(driver, mishap, taken, given_back, said) = *self;
        let fragment = FRAGMENTS.iter().find(|fragment| fragment.driver == driver).expect("a driver of a fragment");
        let (_service, ended, _workshop) = fragment.play(mishap);
        assert_eq!(count(&ended, "stream", "taken"), taken, "{driver}, {mishap}: {ended:?}");
        assert_eq!(count(&ended, "stream", "confirmed"), taken, "{driver}, {mishap}: {ended:?}");
        assert_eq!(count(&ended, "sdk", "given back"), given_back, "{driver}, {mishap}: {ended:?}");
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
        Mishap("dcam.c", "lost", 4, 10, LOST),
        Mishap("imaqdx.c", "lost", 5, 10, LOST),
    ];
    mishaps.iter().for_each(Mishap::befalls);
}

#[test]
fn a_loop_whose_wait_is_ended_to_stop_it_ends_without_a_complaint() {
    [Mishap("ids_peak.cpp", "stopped", 5, 5, ""), Mishap("dcam.c", "stopped", 4, 10, "")].iter().for_each(Mishap::befalls);
}

#[test]
fn what_is_no_intensity_or_does_not_fill_bytes_is_refused_aloud_and_every_buffer_given_back() {
    let mishaps = [
        Mishap("imaqdx.c", "colour", 0, 10, "set the camera to Mono"),
        Mishap("thorlabs.c", "colour", 0, 0, "mosaic"),
        Mishap("pylon.c", "packed", 0, 10, "multiple of 4"),
        Mishap("pylon.cpp", "packed", 0, 10, "multiple of 4"),
    ];
    mishaps.iter().for_each(Mishap::befalls);
}

#[test]
fn a_camera_without_a_clock_is_recorded_and_a_buffer_that_cannot_be_read_is_given_back() {
    let mishaps = [
        Mishap("ids_peak.cpp", "timeless", 10, 10, ""),
        Mishap("thorlabs.c", "timeless", 10, 10, ""),
        Mishap("ids_peak.cpp", "unreadable", 3, 4, "no pixel format"),
    ];
    mishaps.iter().for_each(Mishap::befalls);
}

#[test]
fn a_frame_that_was_overwritten_while_it_was_copied_is_told() {
    Mishap("dcam.c", "overtaken", 14, 10, "frame 12 may be torn").befalls();
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
