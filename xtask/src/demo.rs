use anyhow::{Result, bail};
use std::path::Path;
use std::time::Duration;
pub fn run(_root: &Path, _length: Duration) -> Result<()> {
    bail!("not yet")
}
