//! The test's own program, started again as a process of its own, for one function among its tests. That function calls what the
//! process is to do, which does nothing unless the environment says that it is started for it.

use super::HANGS_AFTER;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

/// The process. It is killed when it is dropped.
pub struct Again {
    child: Child,
    orders: Option<ChildStdin>,
    said: Receiver<String>,
}

impl Again {
    pub fn start(function: &str, environment: &[(&str, &str)]) -> Again {
        let mut command = Command::new(std::env::current_exe().expect("a test knows where it lies"));
        command.args([function, "--exact", "--nocapture"]).envs(environment.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the test can be started again");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (says, said) = mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| says.send(line)));
        Again { orders: child.stdin.take(), child, said }
    }

    /// The next line it says; it has to live and to speak.
    #[track_caller]
    pub fn listen(&mut self) -> String {
        self.said.recv_timeout(HANGS_AFTER).expect("the process lives and speaks")
    }

    /// Sends it a line.
    pub fn order(&mut self, order: &str) {
        writeln!(self.orders.as_mut().expect("it has not been told to end"), "{order}").expect("the process lives");
    }

    /// Closes its standard input.
    pub fn hang_up(&mut self) {
        self.orders.take();
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub fn ended_well(&mut self) {
        assert!(self.child.wait().expect("a child can be waited for").success());
    }

    /// Kills it with SIGKILL; gives what it said and nobody has heard yet.
    pub fn kill(&mut self) -> Vec<String> {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
        self.said.iter().collect()
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
