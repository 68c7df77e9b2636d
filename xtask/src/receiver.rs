//! `rheed-receiver` as a process of its own, in place of the service.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A receiver under way; ended with it.
pub struct Receiver {
    process: Child,
    pub url: String,
    pub key: String,
}

impl Receiver {
    /// Keeps streams in `data`. Without a key it makes one up.
    pub fn start(program: &Path, data: &Path, arguments: &[&str], key: Option<&str>) -> Result<Receiver> {
        let mut command = Command::new(program);
        command.arg("--quiet").args(arguments).arg("--data").arg(data).stdout(Stdio::piped());
        command.env("RHEED_RECEIVER_KEY", key.unwrap_or_default());
        let mut process = ends_with_us(&mut command).spawn().context("rheed-receiver")?;
        let mut said = BufReader::new(process.stdout.take().context("stdout is piped")?).lines();
        let mut value = |name: &str| -> Result<String> {
            let line = said.next().context("rheed-receiver ended")??;
            Ok(line.strip_prefix(name).with_context(|| format!("rheed-receiver said {line:?}"))?.to_owned())
        };
        let url = value("listening on ")?;
        let key = key.map_or_else(|| value("key: "), |key| Ok(key.to_owned()))?;
        Ok(Receiver { process, url, key })
    }
}

/// Ends the process when we end, even if we are killed.
pub fn ends_with_us(command: &mut Command) -> &mut Command {
    #[cfg(target_os = "linux")]
    // SAFETY: between fork and exec there is but this call of the system.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(command, || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    command
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
