//! What a program answers.

use anyhow::{Context, Result, ensure};
use std::process::Command;

/// What it says; its complaint is the error where it fails.
pub fn said_by(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?)
}
