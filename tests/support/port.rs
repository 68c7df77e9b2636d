//! A port on loopback that is somebody's and yet of no use: it refuses, or swallows what is sent to it.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// A port whose queue is full: what comes is neither taken nor refused, as behind a firewall that drops packets.
pub struct SwallowingPort {
    listener: TcpListener,
    /// They fill the queue.
    queue: Vec<TcpStream>,
}

impl SwallowingPort {
    pub fn new() -> SwallowingPort {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        set_backlog(&listener, 0);
        let mut port = SwallowingPort { listener, queue: Vec::new() };
        while let Ok(line) = TcpStream::connect_timeout(&port.address(), Duration::from_millis(300)) {
            port.queue.push(line);
            assert!(port.queue.len() < 100, "the queue does not fill");
        }
        port
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("its port")
    }

    /// The port, as one that takes what comes.
    pub fn open(self) -> TcpListener {
        for _ in &self.queue {
            drop(self.listener.accept().expect("what is in the queue can be taken"));
        }
        set_backlog(&self.listener, 128);
        self.listener
    }
}

/// How many may wait to be taken.
fn set_backlog(listener: &TcpListener, connections: i32) {
    // SAFETY: listen takes any numbers; the descriptor is open.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), connections) }, 0, "{}", io::Error::last_os_error());
}
