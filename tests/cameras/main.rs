//! Programs for real cameras (examples_cameras/), each against its SDK's own camera or source, and the pages in docs/cameras/.
#![cfg(all(feature = "receiver", target_os = "linux"))]

mod aravis;
mod fake_gige;
mod gstreamer;
mod opencv;
mod pages;
mod programs;
mod pypylon;
#[path = "../support/mod.rs"]
mod support;
mod v4l2;
