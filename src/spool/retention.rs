//! What was set aside, and final reports, are kept for a time and then removed. Nothing else is.

use super::layout;
use super::root::Root;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

impl Root {
    /// Removes what has lain longer than `keep`.
    pub fn remove_old(&self, keep: Duration) {
        for folder in [layout::SET_ASIDE, layout::REPORTS] {
            for entry in fs::read_dir(self.path().join(folder)).into_iter().flatten().flatten() {
                remove_if_old(&entry.path(), keep);
            }
        }
        self.measure_spool();
    }
}

fn remove_if_old(path: &Path, keep: Duration) {
    let Ok(facts) = fs::symlink_metadata(path) else { return };
    if facts.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            remove_if_old(&entry.path(), keep);
        }
        let _ = fs::remove_dir(path); // Fails as long as something is in it.
    } else {
        let age = facts.modified().ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
        if age.is_some_and(|age| age > keep) {
            let _ = fs::remove_file(path);
        }
    }
}

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
}
