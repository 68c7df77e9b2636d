//! What was set aside, and final reports, are kept for a time and then removed. Nothing else is.

use super::layout;
use super::root::Root;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

impl Root {
    /// Removes what has lain longer than `keep`.
    pub fn remove_old(&self, keep: Duration) {
        self.follow_clock();
        let now = SystemTime::now();
        self.each_kept(|path, modified| {
            if modified < UNIX_EPOCH + YEAR_2000 {
                set_modified(path, now); // By a clock that did not know the date: its time begins now.
            } else if now.duration_since(modified).is_ok_and(|age| age > keep) {
                let _ = fs::remove_file(path);
            }
        });
        self.measure_spool();
    }

    /// What lies here has not become older because the clock was set forward: its times are moved along.
    pub fn follow_clock(&self) {
        let now = Clocks::now();
        let before = std::mem::replace(&mut *self.clocks.lock(), now);
        let expected = before.wall + now.steady.saturating_duration_since(before.steady);
        let Some(step) = now.wall.duration_since(expected).ok().filter(|step| *step > CLOCK_STEP) else { return };
        self.each_kept(|path, modified| {
            if modified <= expected {
                set_modified(path, modified + step);
            }
        });
    }

    /// Every file that is kept for a time, and when it was put here.
    fn each_kept(&self, mut look: impl FnMut(&Path, SystemTime)) {
        for folder in [layout::SET_ASIDE, layout::REPORTS] {
            for entry in fs::read_dir(self.path().join(folder)).into_iter().flatten().flatten() {
                each_file(&entry.path(), &mut look);
            }
        }
    }
}

fn each_file(path: &Path, look: &mut impl FnMut(&Path, SystemTime)) {
    let Ok(facts) = fs::symlink_metadata(path) else { return };
    if facts.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            each_file(&entry.path(), look);
        }
        let _ = fs::remove_dir(path); // Fails as long as something is in it.
    } else if let Ok(modified) = facts.modified() {
        look(path, modified);
    }
}

fn set_modified(path: &Path, time: SystemTime) {
    let _ = fs::File::open(path).and_then(|file| file.set_modified(time));
}

/// The clock that can be set and the one that cannot, at one moment.
#[derive(Clone, Copy)]
pub struct Clocks {
    wall: SystemTime,
    steady: Instant,
}

impl Clocks {
    /// At this moment.
    pub fn now() -> Clocks {
        Clocks { wall: SystemTime::now(), steady: Instant::now() }
    }
}

/// Less is no matter to what is kept for days. A computer that slept is taken for a clock that was set: things are kept longer.
const CLOCK_STEP: Duration = Duration::from_secs(60);
/// 2000-01-01: a computer that has lost its clock begins before it.
const YEAR_2000: Duration = Duration::from_secs(946_684_800);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_removes_what_is_old_and_set_aside_and_nothing_else() {
        let path = std::env::temp_dir().join(format!("rheed-retention-{}", uuid::Uuid::now_v7()));
        Root::prepare(&path, true).unwrap();
        let root = Root::open(&path).unwrap();
        let old = SystemTime::now() - Duration::from_secs(100);
        let put = |name: &str, time: SystemTime| {
            let file = path.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::File::create(&file).unwrap().set_modified(time).unwrap();
            file
        };
        let gone = [put("set-aside/a/c1.shard", old), put("reports/a.json", old)];
        let kept = [put("set-aside/b/c2.shard", SystemTime::now()), put("streams/a/c3-1.shard", old)];
        root.remove_old(Duration::from_secs(50));
        assert!(gone.iter().all(|file| !file.exists()) && !path.join("set-aside/a").exists());
        assert!(kept.iter().all(|file| file.exists()));
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_was_put_here_without_a_date_or_before_the_clock_was_set_is_kept_its_time() {
        let path = std::env::temp_dir().join(format!("rheed-retention-{}", uuid::Uuid::now_v7()));
        Root::prepare(&path, true).unwrap();
        let root = Root::open(&path).unwrap();
        let day = Duration::from_secs(86_400);
        let put = |name: &str, time: SystemTime| {
            let file = path.join("set-aside").join(name);
            fs::File::create(&file).unwrap().set_modified(time).unwrap();
            file
        };
        let kept = [put("undated", UNIX_EPOCH + day), put("before", SystemTime::now() - day)];
        let old = put("old", SystemTime::now() - 3 * day);
        root.clocks.lock().wall -= day; // As if it had been set forward by a day since.
        root.remove_old(Duration::from_secs(3600));
        root.remove_old(Duration::from_secs(3600));
        assert!(kept.iter().all(|file| file.exists()) && !old.exists());
        fs::remove_dir_all(path).unwrap();
    }
}
