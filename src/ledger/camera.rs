//! What is known of the camera: whether it lives, and how its clock stands.

use super::{Ledger, Phase};
use crate::camera_clock::{CameraClock, Noted, Standing};
use crate::clock::Clocks;
use crate::codes::{self, Stat};
use crate::platform::steady_ns;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

/// The camera, as far as it shows. Moments are the steady clock's; 0 = never.
#[derive(Default)]
pub(super) struct Camera {
    /// When a frame came last, whatever became of it.
    last_frame: AtomicI64,
    /// From when on the first frame is awaited, unless frames are asked for or come in whole chunks.
    awaited_since: AtomicI64,
    /// The same, while it is told that none has come since.
    still_since: AtomicI64,
    /// Frames that have come, and wait here for room: the camera can bring no others.
    held_up: AtomicUsize,
    /// Frames come in whole chunks: nothing shows of the camera.
    is_out_of_sight: AtomicBool,
    clock: OnceLock<Clock>,
}

/// The camera's clock. Frames never wait for who reads it: they leave how it stands where nobody is reading just then, and else
/// the next frame does.
struct Clock {
    of_frames: Mutex<CameraClock>,
    to_be_read: Mutex<Standing>,
}

impl Clock {
    fn new(tick_hz: f64) -> Clock {
        Clock { of_frames: Mutex::new(CameraClock::new(tick_hz)), to_be_read: Mutex::new(Standing::unknown(tick_hz)) }
    }

    fn note(&self, counter: u64, arrived: i64) -> Noted {
        let mut clock = self.of_frames.lock();
        let noted = clock.note(counter, arrived);
        if let Some(mut standing) = self.to_be_read.try_lock() {
            *standing = clock.standing();
        }
        noted
    }

    fn standing(&self) -> Standing {
        *self.to_be_read.lock()
    }
}

/// For so long at least the first frame may be awaited: a program may well open its stream before its camera.
const FIRST_MAY_TAKE: Duration = Duration::from_secs(60);

/// A frame waits for room.
pub struct HeldUp<'a>(&'a Camera);

impl Drop for HeldUp<'_> {
    fn drop(&mut self) {
        self.0.last_frame.store(steady_ns(), Ordering::Relaxed);
        self.0.held_up.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ledger {
    /// A frame comes, to be taken or refused.
    pub fn frame_comes(&self, steady_ns: i64) {
        self.camera.last_frame.store(steady_ns, Ordering::Relaxed);
        if self.camera.still_since.load(Ordering::Relaxed) != 0 {
            self.camera_is_back(steady_ns);
        }
    }

    #[cold]
    fn camera_is_back(&self, now: i64) {
        let since = self.camera.still_since.swap(0, Ordering::Relaxed);
        if since != 0 {
            let ms = (now - since).max(0) / 1_000_000;
            let text = format!("the camera is back: a frame came after {}", seconds(ms));
            self.notices.tell(codes::Event::CameraBack, ms, text);
        }
    }

    /// Until the answer is dropped the camera waits for this library, and not the other way round.
    pub fn hold_up(&self) -> HeldUp<'_> {
        self.camera.held_up.fetch_add(1, Ordering::Relaxed);
        HeldUp(&self.camera)
    }

    /// A camera's frames are awaited from this moment on.
    pub fn await_camera(&self, now: i64) {
        self.camera.awaited_since.store(now, Ordering::Relaxed);
    }

    /// Frames are asked for one by one: none is expected before it is, whatever has come till now.
    pub fn frames_are_asked_for(&self) {
        self.camera.awaited_since.store(0, Ordering::Relaxed);
        self.camera.last_frame.store(0, Ordering::Relaxed);
    }

    /// Frames come in whole chunks, whenever it pleases those who give them. From now on nobody looks after the camera.
    pub fn frames_come_in_chunks(&self) {
        self.camera.is_out_of_sight.store(true, Ordering::Relaxed);
        self.camera_is_back(steady_ns());
    }

    /// No frames are to be expected until the next one.
    pub fn camera_may_rest(&self) {
        self.camera.awaited_since.store(0, Ordering::Relaxed);
        self.camera.last_frame.store(0, Ordering::Relaxed);
        self.camera.still_since.store(0, Ordering::Relaxed);
    }

    /// Whether it was told that the camera stands still, and nothing came since.
    pub fn camera_stands_still(&self) -> bool {
        self.camera.still_since.load(Ordering::Relaxed) != 0 && self.is_camera_looked_after()
    }

    fn is_camera_looked_after(&self) -> bool {
        self.phase() == Phase::Open && !self.camera.is_out_of_sight.load(Ordering::Relaxed)
    }

    /// Whether frames have come within this time; tells if not. The answer is when to look again, if ever.
    pub fn look_after_camera(&self, timeout: Duration) -> Option<Duration> {
        if !self.is_camera_looked_after() {
            return None;
        }
        let (camera, last) = (&self.camera, self.camera.last_frame.load(Ordering::Relaxed));
        let awaited = camera.awaited_since.load(Ordering::Relaxed);
        let (since, most) = if last == 0 { (awaited, timeout.max(FIRST_MAY_TAKE)) } else { (last, timeout) };
        if since == 0 || camera.held_up.load(Ordering::Relaxed) > 0 {
            return Some(timeout);
        }
        let age = Duration::from_nanos((steady_ns() - since).max(0) as u64);
        if age < most {
            return Some(timeout.min(most - age)); // The first frame may come at any time, and the second be late.
        }
        // A frame that comes just now finds out by itself, or with the next, that it is the first.
        if camera.still_since.compare_exchange(0, since, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.add(Stat::CameraStalls, 1);
            let ms = age.as_millis() as i64;
            let text = match last {
                0 => format!("no frame has come since the stream was opened, {} ago", seconds(ms)),
                _ => format!("no frame has come from the camera for {}", seconds(ms)),
            };
            self.notices.tell(codes::Event::CameraStalled, ms, text);
        }
        Some(timeout)
    }

    /// Frames bear the camera's own time, in ticks.
    pub fn use_camera_clock(&self, tick_hz: f64) {
        let _ = self.camera.clock.set(Clock::new(tick_hz));
    }

    /// As who reads how the camera's clock stands, and takes its time.
    #[cfg(test)]
    pub fn hold_camera_clock(&self) -> impl Sized {
        self.camera.clock.get().map(|clock| clock.to_be_read.lock())
    }

    /// What becomes of a frame that bears the camera's own time; `None` where they do not.
    pub fn by_camera_clock(&self, counter: u64, arrived: i64) -> Option<Noted> {
        self.camera.clock.get().map(|clock| clock.note(counter, arrived))
    }

    pub(super) fn read_camera_clock(&self, values: &mut [i64; Stat::COUNT]) {
        let standing = self.camera.clock.get().map(Clock::standing);
        let (offset_ns, bound_ns) = standing.and_then(of_unix_time).map_or((-1, -1), |(offset, bound, _)| (offset, bound));
        values[Stat::CameraClockOffsetNs as usize] = offset_ns;
        values[Stat::CameraClockBoundNs as usize] = bound_ns;
    }

    /// For the report; null where it is not used.
    pub(super) fn report_camera_clock(&self) -> Value {
        let Some(standing) = self.camera.clock.get().map(Clock::standing) else { return Value::Null };
        let (offset, bound, drift) = match of_unix_time(standing) {
            Some((offset, bound, drift)) => (offset.into(), bound.into(), ((drift * 1000.0).round() / 1000.0).into()),
            None => (Value::Null, Value::Null, Value::Null),
        };
        json!({ "offset_ns": offset, "bound_ns": bound, "drift_ppm": drift, "restarts": standing.restarts() })
    }
}

/// Unix time minus the camera's, the bound, and the drift in millionths.
fn of_unix_time(standing: Standing) -> Option<(i64, i64, f64)> {
    let now = Clocks::now();
    let reading = standing.reading(now.steady_ns)?;
    let offset = reading.offset_ns.saturating_add(now.wall_ns - now.steady_ns);
    Some((offset, reading.bound_ns, reading.drift_ppm))
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::Health;
    use crate::ledger::{Connection, status_line};
    use crate::spool::scratch::Scratch;

    const SECOND: i64 = 1_000_000_000;
    const TIMEOUT: Duration = Duration::from_secs(5);

    /// A stream that was opened so long ago.
    fn opened(seconds_ago: i64) -> Ledger {
        let ledger = Ledger::new("id", "camera", Connection::Spooling, Scratch::new("endpoint=none").notices.clone());
        ledger.await_camera(steady_ns() - seconds_ago * SECOND);
        ledger
    }

    fn told(ledger: &Ledger) -> Vec<(i32, String)> {
        std::iter::from_fn(|| ledger.notices.events.take()).map(|event| (event.kind as i32, event.text.to_string())).collect()
    }

    #[test]
    fn a_camera_that_never_sends_its_first_frame_is_told_once_shown_and_comes_back_with_it() {
        let ledger = opened(61);
        for _ in 0..2 {
            assert_eq!(ledger.look_after_camera(TIMEOUT), Some(TIMEOUT));
        }
        let [(kind, text)] = &told(&ledger)[..] else { panic!("it is told once") };
        assert_eq!(*kind, codes::Event::CameraStalled as i32);
        assert!(text.starts_with("no frame has come since the stream was opened, 61."), "{text}");
        assert_eq!((ledger.get(Stat::CameraStalls), ledger.health() as i32), (1, Health::Look as i32));
        let status = status_line(&ledger.snapshot(), ledger.camera_stands_still());
        assert!(status.contains("THE CAMERA STANDS STILL"), "{status}");

        ledger.frame_comes(steady_ns());
        assert!(!ledger.camera_stands_still());
        assert_eq!(told(&ledger)[0].0, codes::Event::CameraBack as i32);
    }

    #[test]
    fn the_first_frame_may_take_a_minute_or_the_timeout_where_that_is_longer_and_the_second_is_looked_after_meanwhile() {
        assert_eq!(opened(10).look_after_camera(TIMEOUT), Some(TIMEOUT));
        assert!(opened(58).look_after_camera(TIMEOUT).is_some_and(|pause| pause <= Duration::from_secs(2)));
        let ledger = opened(100);
        assert!(ledger.look_after_camera(Duration::from_secs(120)).is_some_and(|pause| pause <= Duration::from_secs(20)));
        assert_eq!(told(&ledger), []);
        ledger.frame_comes(steady_ns() - 6 * SECOND);
        ledger.look_after_camera(TIMEOUT);
        assert!(told(&ledger)[0].1.starts_with("no frame has come from the camera for 6."));
    }

    #[test]
    fn nobody_waits_for_the_first_of_frames_that_are_asked_for_nor_for_any_beside_chunks() {
        let (asked, chunks, ended) = (opened(100), opened(100), opened(100));
        asked.frame_comes(steady_ns() - 100 * SECOND); // A mistake, before frames were asked for.
        asked.frames_are_asked_for();
        chunks.frames_come_in_chunks();
        chunks.frame_comes(steady_ns() - 100 * SECOND); // It was on its way before the first chunk.
        ended.camera_may_rest();
        for (ledger, again) in [(asked, Some(TIMEOUT)), (chunks, None), (ended, Some(TIMEOUT))] {
            assert_eq!(ledger.look_after_camera(TIMEOUT), again);
            assert_eq!(told(&ledger), []);
        }
        let late = opened(100);
        late.look_after_camera(TIMEOUT);
        late.frames_come_in_chunks();
        assert!(!late.camera_stands_still());
        let kinds = [codes::Event::CameraStalled as i32, codes::Event::CameraBack as i32];
        assert_eq!(told(&late).iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), kinds);
    }
}
