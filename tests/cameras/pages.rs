//! The fragments on the pages in docs/cameras: a camera is played to each, by a stand-in of its SDK.

use crate::programs::{count, taken_and_confirmed};
use crate::support::service::{self, only_stream};
use crate::support::{Dialect, Linked, Workshop, root, run};
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
    Fragment { page: "thorlabs", driver: "thorlabs.c", options: &["significant_bits=12"], tells_of_damage: false },
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

    #[track_caller]
    fn brings_its_camera_in(&self) {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        workshop.write("fragment.h", &self.code());
        let stand_ins = root().join("tests/cameras/stand_ins");
        let dialect = if self.language() == "c" { Dialect::c("c99") } else { Dialect::cpp("c++17") };
        let folders = [workshop.path(), &stand_ins].map(|folder| format!("-I{}", folder.display()));
        let program = workshop.build_with(&dialect, &stand_ins.join("drive").join(self.driver), Linked::Shared, &folders);
        let options = service::options(&service, &workshop);
        let ended = run(&program, options.iter().map(String::as_str).chain(self.options.iter().copied())).well();
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

#[test]
fn every_fragment_of_the_pages_is_played_a_camera() {
    let pages = fs::read_dir(root().join("docs/cameras")).expect("the pages are there").map(|page| page.expect("a file").path());
    let text: String = pages.map(|page| fs::read_to_string(page).expect("a page can be read")).collect();
    // One of them stands in a program.
    assert_eq!(text.matches("```c\n").count() + text.matches("```cpp\n").count(), FRAGMENTS.len() + 1);
    assert_eq!(text.matches("**not met the real SDK**").count(), FRAGMENTS.len(), "each page says so, and the first one");
}
