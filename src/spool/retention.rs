//! What was set aside, and final reports, are kept for a time and then removed. Nothing else is.

use super::layout;
use super::root::Root;
use crate::clock::Clocks;
use crate::platform;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

impl Root {
    /// From now on this is how long things are kept.
    pub fn keep_for(&self, retention: Duration) {
        *self.retention.lock() = retention;
        self.retention_is_new.store(true, Ordering::Release);
    }

    /// Whether somebody has said how long things are kept since this was last asked.
    pub fn has_new_retention(&self) -> bool {
        self.retention_is_new.swap(false, Ordering::Acquire)
    }

    /// Removes what has lain longer than it is to be kept.
    pub fn remove_old(&self) {
        let keep = *self.retention.lock();
        // Held to the end: nobody removes anything by a time that is yet to be moved along.
        let mut clocks = self.clocks.lock();
        self.follow(&mut clocks);
        let now = time(&clocks); // The clock may be set again at any moment.
        self.each_kept(|path, came| {
            if came < UNIX_EPOCH + YEAR_2000 {
                let _ = platform::touch(path, Some(now)); // By a clock that did not know the date: its time begins now.
            } else if now.duration_since(came).is_ok_and(|age| age > keep) {
                let _ = fs::remove_file(path);
            }
        });
        drop(clocks);
        self.measure_spool();
    }

    /// What lies here has not become older because the clock was set forward: its times are moved along.
    pub fn follow_clock(&self) {
        self.follow(&mut self.clocks.lock());
    }

    fn follow(&self, clocks: &mut Clocks) {
        let now = Clocks::now();
        let before = std::mem::replace(clocks, now);
        let (set_by, shown) = (now.set_since(&before), time(&now));
        if set_by > CLOCK_STEP_NS {
            let step = Duration::from_nanos(set_by as u64);
            self.each_kept(|path, came| {
                if came <= shown - step {
                    let _ = platform::touch(path, Some(came + step));
                }
            });
        } else if set_by < -CLOCK_STEP_NS {
            // What seems to come from the future would not be moved along when the clock is set forward again.
            self.each_kept(|path, came| {
                if came > shown {
                    let _ = platform::touch(path, Some(shown));
                }
            });
        }
    }

    /// Every file that is kept for a time, and when it came here.
    fn each_kept(&self, mut look: impl FnMut(&Path, SystemTime)) {
        for folder in [layout::SET_ASIDE, layout::REPORTS] {
            each_file(&self.path().join(folder), UNIX_EPOCH, 0, &mut look);
        }
    }
}

/// So deep below `set-aside` lies what was set aside: in its stream's folder.
const SET_ASIDE_DEPTH: u32 = 2;

/// What was in a folder that was set aside `came` with it, however old it was before.
fn each_file(path: &Path, came: SystemTime, depth: u32, look: &mut impl FnMut(&Path, SystemTime)) {
    let Ok(facts) = fs::symlink_metadata(path) else { return };
    let Ok(modified) = facts.modified() else { return };
    if !facts.is_dir() {
        return look(path, modified.max(came));
    }
    let came = if depth == SET_ASIDE_DEPTH { modified } else { came };
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        each_file(&entry.path(), came, depth + 1, look);
    }
    if depth > 0 {
        let _ = fs::remove_dir(path); // Fails as long as something is in it.
    }
}

/// What the wall clock showed.
fn time(clocks: &Clocks) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(clocks.wall_ns.max(0) as u64)
}

/// Less is no matter to what is kept for days.
const CLOCK_STEP_NS: i64 = 60_000_000_000;
/// 2000-01-01: a computer that has lost its clock begins before it.
const YEAR_2000: Duration = Duration::from_secs(946_684_800);

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::sync::{Arc, Barrier};

    const DAY: Duration = Duration::from_secs(86_400);

    /// A spool of its own, which goes with it.
    struct Bench {
        path: PathBuf,
        root: Arc<Root>,
    }

    impl Bench {
        fn new() -> Bench {
            let path = std::env::temp_dir().join(format!("rheed-retention-{}", uuid::Uuid::now_v7()));
            Root::prepare(&path, true).unwrap();
            Bench { root: Root::open(&path, DAY).unwrap(), path }
        }

        /// Of what has lain longer.
        fn clean_up(&self, retention: Duration) {
            self.root.keep_for(retention);
            self.root.remove_old();
        }

        fn put(&self, name: &str, time: SystemTime) -> PathBuf {
            let file = self.path.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::File::create(&file).unwrap().set_modified(time).unwrap();
            file
        }
    }

    impl Drop for Bench {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.path);
        }
    }

    fn is_there(path: &PathBuf) -> bool {
        fs::symlink_metadata(path).is_ok()
    }

    #[test]
    fn retention_removes_what_is_old_and_set_aside_and_nothing_else() {
        let bench = Bench::new();
        let old = SystemTime::now() - Duration::from_secs(100);
        let gone = [bench.put("set-aside/a/c1.shard", old), bench.put("reports/a.json", old)];
        let kept = [bench.put("set-aside/b/c2.shard", SystemTime::now()), bench.put("streams/a/c3-1.shard", old)];
        bench.clean_up(Duration::from_secs(50));
        assert!(!gone.iter().any(is_there) && !bench.path.join("set-aside/a").exists());
        assert!(kept.iter().all(is_there));
    }

    #[test]
    fn what_was_put_here_without_a_date_or_before_the_clock_was_set_is_kept_its_time() {
        let bench = Bench::new();
        let kept = [bench.put("set-aside/a/undated", UNIX_EPOCH + DAY), bench.put("set-aside/a/before", SystemTime::now() - DAY)];
        let old = bench.put("set-aside/a/old", SystemTime::now() - 3 * DAY);
        bench.root.clocks.lock().wall_ns -= DAY.as_nanos() as i64; // As if it had been set forward by a day since.
        bench.clean_up(Duration::from_secs(3600));
        bench.clean_up(Duration::from_secs(3600));
        assert!(kept.iter().all(is_there) && !is_there(&old));
    }

    #[test]
    fn a_clock_that_is_set_back_and_then_forward_beyond_where_it_was_costs_nothing() {
        let bench = Bench::new();
        let kept = bench.put("set-aside/a/kept", SystemTime::now() + DAY); // Before the clock was set back by a day.
        bench.root.clocks.lock().wall_ns += DAY.as_nanos() as i64;
        bench.clean_up(Duration::from_secs(3600));
        let before = fs::symlink_metadata(&kept).unwrap().modified().unwrap();
        assert!(before <= SystemTime::now(), "it is kept from now on");
        platform::touch(&kept, Some(before - 3 * DAY)).unwrap();
        bench.root.clocks.lock().wall_ns -= 3 * DAY.as_nanos() as i64; // As if all that had been three days ago by the clock.
        bench.clean_up(Duration::from_secs(3600));
        assert!(is_there(&kept));
    }

    #[test]
    fn an_old_file_in_a_folder_is_kept_from_when_the_folder_was_set_aside() {
        let bench = Bench::new();
        let kept = bench.put("set-aside/a/backup/deep/notes", SystemTime::now() - 90 * DAY);
        bench.clean_up(30 * DAY);
        assert!(is_there(&kept));
        let folder = bench.path.join("set-aside/a/backup");
        platform::touch(&folder, Some(SystemTime::now() - 31 * DAY)).unwrap();
        bench.clean_up(30 * DAY);
        assert!(!is_there(&folder), "it has had its time");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_a_link_and_what_nobody_may_read_are_dated_without_being_opened() {
        let bench = Bench::new();
        let undated = UNIX_EPOCH + DAY;
        let elsewhere = bench.put("elsewhere", undated);
        let (pipe, link) = (bench.path.join("set-aside/pipe"), bench.path.join("set-aside/link"));
        let name = std::ffi::CString::new(pipe.to_str().unwrap()).unwrap();
        // SAFETY: the name is NUL-terminated.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        let secret = bench.put("set-aside/secret", undated);
        fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o0)).unwrap();
        let here = [pipe, link, secret];
        here.iter().for_each(|path| platform::touch(path, Some(undated)).unwrap());

        let (done, is_done) = std::sync::mpsc::channel();
        let root = bench.root.clone();
        std::thread::spawn(move || {
            root.remove_old();
            done.send(()).unwrap();
        });
        is_done.recv_timeout(Duration::from_secs(120)).expect("nobody waits for the pipe's writer");
        let modified = |path: &PathBuf| fs::symlink_metadata(path).unwrap().modified().unwrap();
        assert!(here.iter().all(|path| modified(path).elapsed().unwrap() < DAY));
        assert_eq!(modified(&elsewhere), undated, "nothing outside is touched");
    }

    #[test]
    fn a_clock_that_is_set_forward_costs_nothing_though_two_clean_up_at_once() {
        let bench = Bench::new();
        let kept: Vec<PathBuf> = (0..500).map(|number| bench.put(&format!("set-aside/a/{number}"), UNIX_EPOCH)).collect();
        for _ in 0..10 {
            let yesterday = SystemTime::now() - DAY;
            kept.iter().for_each(|path| platform::touch(path, Some(yesterday)).unwrap());
            bench.root.clocks.lock().wall_ns -= DAY.as_nanos() as i64;
            let both = Barrier::new(2);
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        both.wait();
                        bench.clean_up(Duration::from_secs(3600));
                    });
                }
            });
            assert!(kept.iter().all(is_there));
        }
    }
}
