//! A disk that does not answer: a chunk's file is a named pipe, which takes 64 KiB and then keeps its writer waiting.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread::JoinHandle;

/// The pipe; as long as it is not read, whoever writes a larger chunk waits.
pub struct StalledDisk {
    reading_end: File,
}

/// The disk goes on; waits until the chunk is closed when it is dropped.
pub struct Flowing(Option<JoinHandle<()>>);

impl StalledDisk {
    /// For a chunk that is not yet begun.
    pub fn under_chunk(stream: &Path, chunk: u64) -> StalledDisk {
        let path = stream.join(format!("c{chunk:010}.part"));
        let name = CString::new(path.as_os_str().as_bytes()).expect("no NUL in it");
        // SAFETY: the name is NUL-terminated.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0, "{}", path.display());
        // Without O_NONBLOCK the open would wait for the writer.
        let reading_end = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path).expect("a pipe can be opened");
        StalledDisk { reading_end }
    }

    /// Waits until somebody writes.
    pub fn holds_a_writer(&self) {
        use std::os::fd::AsRawFd;
        let mut poll = libc::pollfd { fd: self.reading_end.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let patience = super::HANGS_AFTER.as_millis() as libc::c_int;
        // SAFETY: one descriptor, which is open.
        assert_eq!(unsafe { libc::poll(&mut poll, 1, patience) }, 1, "nobody writes");
    }

    /// Takes everything from now on. There has to be a writer.
    pub fn flow(mut self) -> Flowing {
        use std::os::fd::AsRawFd;
        self.holds_a_writer();
        // SAFETY: the descriptor is open; its flags are set to none.
        assert_eq!(unsafe { libc::fcntl(self.reading_end.as_raw_fd(), libc::F_SETFL, 0) }, 0);
        Flowing(Some(std::thread::spawn(move || {
            let mut taken = [0; 1 << 16];
            while self.reading_end.read(&mut taken).expect("a pipe can be read") > 0 {}
        })))
    }
}

impl Drop for Flowing {
    fn drop(&mut self) {
        let ended = self.0.take().expect("dropped once").join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}
