//! The options: one table gives each key's type, default, range and meaning. `docs/options.md` is made from it.

use crate::codes::Code;
use crate::error::{Error, Result};
use crate::platform;
use crate::words::{self, Secret};
use reqwest::Url;
use rheed_pixels::Region;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

/// A key's line and what else may stand in its file; more is not read.
const LONGEST_KEY_FILE: u64 = 64 << 10;

/// Frames per second that the service takes at most, by its documentation.
const SERVICES_FPS: f64 = 120.0;
/// Of a counter in nanoseconds.
const NS_HZ: f64 = 1e9;

/// The service of the guide.
pub const DEFAULT_ENDPOINT: &str = "https://api.atomscale.ai";

/// Where the frames go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// No service: everything stays in the spool.
    None,
    /// The service's address, without a slash at its end.
    Url(String),
}

impl Endpoint {
    /// As the manifest has it: the address or `none`.
    pub fn as_str(&self) -> &str {
        match self {
            Endpoint::None => "none",
            Endpoint::Url(url) => url,
        }
    }
}

/// What `rheed_init` and `rheed_resume` were told, checked and complete.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // Each field is the key of the same name: the table below says what it means.
pub struct Options {
    pub fps: f64,
    pub chunk_size: u32,
    pub rotations_per_min: f64,
    pub stream_name: String,
    pub physical_sample: Option<String>,
    pub project_id: Option<Uuid>,
    pub tags: Vec<String>,
    pub azimuth: Option<String>,
    pub api_key: Option<Secret>,
    pub api_key_file: Option<PathBuf>,
    pub endpoint: Endpoint,
    pub allow_http: bool,
    pub proxy: Option<Secret>,
    pub ca_file: Option<PathBuf>,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
    pub max_workers: u32,
    pub clock_sync: bool,
    pub queue_bytes: u64,
    pub frame_bytes: u64,
    pub block_when_full: bool,
    pub spool_dir: PathBuf,
    pub spool_max_bytes: u64,
    pub spool_min_free_bytes: u64,
    pub spool_retention: Duration,
    pub compression: Compression,
    pub significant_bits: u32,
    pub significant_bits_at_high: bool,
    pub roi: Option<Region>,
    pub bin: u32,
    pub decimate: u32,
    pub device_clock: bool,
    pub device_tick_hz: f64,
    pub stall_timeout: Duration,
    pub paced: bool,
    pub verbosity: i32,
    pub log_file: LogFile,
    pub log_max_bytes: u64,
    /// What there is to say of options that are used all the same.
    pub remarks: Vec<String>,
}

/// How hard frames are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// By this zstd level.
    Level(i32),
    /// As well as there is time for it (`stream::effort`).
    Auto,
}

/// Where the log file lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFile {
    /// `rheed.log` in the spool folder.
    InSpool,
    /// No file.
    None,
    /// There.
    At(PathBuf),
}

/// A row of the table.
struct Key {
    name: &'static str,
    default: &'static str,
    values: &'static str,
    meaning: &'static str,
    /// Takes the value, or says what would be right.
    set: fn(&mut Options, &str) -> std::result::Result<(), String>,
}

const KEYS: &[Key] = &[
    Key {
        name: "fps",
        default: "",
        values: "number, 0.001 to 10000",
        meaning: "Frames per second that the camera is set to, whatever `decimate` leaves out of them. Required by `rheed_init`.",
        set: |o, v| number(v, 1e-3, 1e4).map(|it| o.fps = it),
    },
    Key {
        name: "chunk_size",
        default: "",
        values: "whole number of frames, 2 seconds' worth to 1000000",
        meaning: "Frames that are sent together. Default and least: `fps` / `decimate` times 2, rounded up.",
        set: |o, v| whole(v, 1, 1_000_000).map(|it| o.chunk_size = it),
    },
    Key {
        name: "rotations_per_min",
        default: "0",
        values: "number, 0 to 10000",
        meaning: "Speed of the sample's rotation; 0 = it does not rotate.",
        set: |o, v| number(v, 0.0, 1e4).map(|it| o.rotations_per_min = it),
    },
    Key {
        name: "stream_name",
        default: "",
        values: "text, at most 255 bytes",
        meaning: "The stream's name at the service. Default: `RHEED Stream @ 8:34AM`, with the local time.",
        set: |o, v| text(v, 255).map(|it| o.stream_name = it),
    },
    Key {
        name: "physical_sample",
        default: "",
        values: "name or UUID",
        meaning: "The sample that is grown. A name is created when the service does not know it; a UUID must exist.",
        set: |o, v| text(v, 255).map(|it| o.physical_sample = Some(it)),
    },
    Key {
        name: "project_id",
        default: "",
        values: "UUID",
        meaning: "The project that the stream belongs to.",
        set: |o, v| {
            Uuid::parse_str(v)
                .map_err(|_| "a UUID such as 123e4567-e89b-12d3-a456-426614174000".to_string())
                .map(|it| o.project_id = Some(it))
        },
    },
    Key {
        name: "tags",
        default: "",
        values: "names, with commas between",
        meaning: "Tags of the stream; created when missing. Upper and lower case are the same.",
        set: |o, v| tags(v).map(|it| o.tags = it),
    },
    Key {
        name: "azimuth",
        default: "",
        values: "text, at most 255 bytes",
        meaning: "Azimuth label, of a stream that does not rotate.",
        set: |o, v| text(v, 255).map(|it| o.azimuth = Some(it)),
    },
    Key {
        name: "api_key",
        default: "",
        values: "text",
        meaning: "The key for the service; goes nowhere else. Else `api_key_file`, else the environment's `AS_API_KEY`, else `ATOMSCALE_API_KEY`.",
        set: |o, v| api_key(v).map(|it| o.api_key = Some(Secret::new(it))),
    },
    Key {
        name: "api_key_file",
        default: "",
        values: "path",
        meaning: "A file whose first line is the key. It should be readable by its owner alone (`chmod 600`; on Windows by its permissions): else `rheed_init` remarks on it.",
        set: |o, v| path(v).map(|it| o.api_key_file = Some(it)),
    },
    Key {
        name: "endpoint",
        default: "",
        values: "URL, or `none`",
        meaning: "The service's address, with or without a path. `none`: no service and no key, everything stays in the spool until a `rheed_resume` with an endpoint. Default: the environment's `AS_API_ENDPOINT`, else `https://api.atomscale.ai`.",
        set: |o, v| endpoint(v).map(|it| o.endpoint = it),
    },
    Key {
        name: "allow_http",
        default: "off",
        values: "`on` or `off`",
        meaning: "Whether plain http may be spoken beyond this computer: the key and the frames are then readable on the way.",
        set: |o, v| switch(v, "on", "off").map(|it| o.allow_http = it),
    },
    Key {
        name: "proxy",
        default: "",
        values: "URL, or `none`",
        meaning: "Proxy for every connection, with user and password if it wants them: `http://user:password@proxy.example:3128`; also `https://`, `socks5://` and `socks5h://`. `none`: no proxy, whatever the environment says. Default: the environment's `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, but for hosts in `NO_PROXY` and an endpoint on this computer.",
        set: |o, v| proxy(v).map(|it| o.proxy = Some(Secret::new(it))),
    },
    Key {
        name: "ca_file",
        default: "",
        values: "path",
        meaning: "Authorities to trust beside the system's, as PEM certificates, one or many: for a service of one's own, or a proxy that inspects TLS.",
        set: |o, v| path(v).map(|it| o.ca_file = Some(it)),
    },
    Key {
        name: "connect_timeout_ms",
        default: "5000",
        values: "milliseconds, 0 to 600000",
        meaning: "How long `rheed_init` waits for the service's first answer, and any connection for its start (at least a second).",
        set: |o, v| milliseconds(v, 0, 600_000).map(|it| o.connect_timeout = it),
    },
    Key {
        name: "request_timeout_ms",
        default: "60000",
        values: "milliseconds, 100 to 3600000",
        meaning: "How long a request may take; an upload gets a second more for each 100 kB.",
        set: |o, v| milliseconds(v, 100, 3_600_000).map(|it| o.request_timeout = it),
    },
    Key {
        name: "max_workers",
        default: "8",
        values: "whole number, 1 to 64",
        meaning: "Uploads at a time.",
        set: |o, v| whole(v, 1, 64).map(|it| o.max_workers = it),
    },
    Key {
        name: "clock_sync",
        default: "on",
        values: "`on` or `off`",
        meaning: "Whether this computer's clock is compared with the service's. The environment's `ATOMSCALE_SKIP_CLOCK_SYNC` (set, not `0`) makes the default `off`.",
        set: |o, v| switch(v, "on", "off").map(|it| o.clock_sync = it),
    },
    Key {
        name: "queue_bytes",
        default: "64 MiB",
        values: "bytes, 1 MiB to 64 GiB",
        meaning: "Memory for frames between push and encoder, at most 4096 of them. A frame (8 bits a pixel, after `roi` and `bin`) must fit.",
        set: |o, v| bytes(v, 1 << 20, 64 << 30).map(|it| o.queue_bytes = it),
    },
    Key {
        name: "frame_bytes",
        default: "0",
        values: "bytes, at most `queue_bytes`",
        meaning: "Size of the frames to come (width x height of what is kept, after `roi` and `bin`, 8 bits a pixel; with rheed_acquire the largest `size_bytes`): the memory is prepared by `rheed_init` rather than at the first push. 0 = not known.",
        set: |o, v| bytes(v, 0, 64 << 30).map(|it| o.frame_bytes = it),
    },
    Key {
        name: "when_full",
        default: "drop",
        values: "`drop` or `block`",
        meaning: "What a push or an acquire does when no slot is free: answer `RHEED_E_QUEUE_FULL`, or wait. For a camera's callback: `drop`.",
        set: |o, v| switch(v, "block", "drop").map(|it| o.block_when_full = it),
    },
    Key {
        name: "spool_dir",
        default: "",
        values: "path",
        meaning: "Where frames lie until they are confirmed; several programs may share it. Default: `rheed-stream` in the user's state folder (`$XDG_STATE_HOME`, else `~/.local/state`; on Windows `%LOCALAPPDATA%`).",
        set: |o, v| path(v).map(|it| o.spool_dir = it),
    },
    Key {
        name: "spool_max_bytes",
        default: "0",
        values: "bytes, 0 or at least 1 MiB",
        meaning: "Bound for what lies in the spool, set-aside chunks included, logs and reports not; then frames are refused with `RHEED_E_DISK_FULL`. 0 = only the disk is the bound.",
        set: |o, v| {
            o.spool_max_bytes = bytes(v, 0, i64::MAX as u64)?;
            if o.spool_max_bytes == 0 || o.spool_max_bytes >= 1 << 20 { Ok(()) } else { Err("0, or at least 1 MiB".into()) }
        },
    },
    Key {
        name: "spool_min_free_bytes",
        default: "1 GiB",
        values: "bytes",
        meaning: "Room on the disk that is left to others: below it frames are refused with `RHEED_E_DISK_FULL`.",
        set: |o, v| bytes(v, 0, i64::MAX as u64).map(|it| o.spool_min_free_bytes = it),
    },
    Key {
        name: "spool_retention_s",
        default: "2592000",
        values: "seconds",
        meaning: "How long chunks that were set aside, and final reports, are kept (30 days).",
        set: |o, v| whole(v, 0, 100 * 365 * 86_400).map(|it| o.spool_retention = Duration::from_secs(it)),
    },
    Key {
        name: "compression_level",
        default: "1",
        values: "whole number, -100 to 19, or auto",
        meaning: "zstd level: higher is smaller and slower. auto: 3 while no frame waits, 1 while some do, faster ones while slots fill up, unless it is the disk that does not keep up; in rheed_push_chunk 1.",
        set: |o, v| compression(v).map(|it| o.compression = it),
    },
    Key {
        name: "significant_bits",
        default: "16",
        values: "whole number, 8 to 16",
        meaning: "How many of Mono16's bits bear the picture: the 8 highest of them are kept.",
        set: |o, v| whole(v, 8, 16).map(|it| o.significant_bits = it),
    },
    Key {
        name: "significant_bits_at",
        default: "low",
        values: "`low` or `high`",
        meaning: "Where in Mono16's words they are. `high`: the word's 8 highest bits are kept, however many are significant.",
        set: |o, v| switch(v, "high", "low").map(|it| o.significant_bits_at_high = it),
    },
    Key {
        name: "roi",
        default: "",
        values: "x,y,w,h: whole numbers of pixels",
        meaning: "The window of each frame that is kept (regions whose brightness is measured: [regions](regions.md)): w x h pixels, of which the first is in column x and row y, counted from 0. The rest is not read. A frame that it does not fit into is refused. Default: the whole frame.",
        set: |o, v| window(v).map(|it| o.roi = Some(it)),
    },
    Key {
        name: "bin",
        default: "1",
        values: "1, 2 or 4",
        meaning: "Each square of so many pixels both ways becomes one: their mean, not their sum, taken after each was cut to 8 bits and rounded to the nearest. What is left over at the right and the bottom of the frame, or of `roi`, is left out.",
        set: |o, v| whole(v, 1, 4).ok().filter(|it| *it != 3).map(|it| o.bin = it).ok_or_else(|| "1, 2 or 4".into()),
    },
    Key {
        name: "decimate",
        default: "1",
        values: "whole number, 1 to 1000",
        meaning: "Of so many frames one is kept, beginning with the first; the others are left out, and counted (`RHEED_STAT_FRAMES_LEFT_OUT`): for cameras that are faster than the service, which takes 120 frames per second. The stream's rate is then `fps` / `decimate`.",
        set: |o, v| whole(v, 1, 1000).map(|it| o.decimate = it),
    },
    Key {
        name: "timestamp_clock",
        default: "host",
        values: "`host` or `device`",
        meaning: "Whose time `timestamp_ns` is: Unix time by this computer's clock, or the camera's own counter, which is then mapped to Unix time ([time](time.md)).",
        set: |o, v| switch(v, "device", "host").map(|it| o.device_clock = it),
    },
    Key {
        name: "device_tick_hz",
        default: "1000000000",
        values: "number, 1 to 1000000000000",
        meaning: "Ticks a second of the camera's counter, with `timestamp_clock = device`. The default is a counter in nanoseconds.",
        set: |o, v| number(v, 1.0, 1e12).map(|it| o.device_tick_hz = it),
    },
    Key {
        name: "stall_timeout_ms",
        default: "5000",
        values: "milliseconds, 0 to 86400000",
        meaning: "When no frame has come for so long, and for at least ten frame times, the camera stands still, which is told (`RHEED_EVENT_CAMERA_STALLED`). For its first frame it has a minute at least from the opening of the stream. A stream that is given whole chunks is not watched; with `rheed_run` it is from the first push of a run to its end. 0 = it may.",
        set: |o, v| milliseconds(v, 0, 86_400_000).map(|it| o.stall_timeout = it),
    },
    Key {
        name: "pace",
        default: "realtime",
        values: "`realtime` or `off`",
        meaning: "Whether `rheed_run` asks its source `fps` times a second, or as fast as it can.",
        set: |o, v| switch(v, "realtime", "off").map(|it| o.paced = it),
    },
    Key {
        name: "verbosity",
        default: "0",
        values: "0 to 4",
        meaning: "What is told on the console or to the log callback: 0 nothing, 1 errors, 2 warnings and milestones, 3 each chunk, 4 each frame and request.",
        set: |o, v| whole(v, 0, 4).map(|it| o.verbosity = it),
    },
    Key {
        name: "log_file",
        default: "",
        values: "path, or `none`",
        meaning: "The log file; takes warnings and milestones, and more as `verbosity` says. Default: `rheed.log` in the spool.",
        set: |o, v| log_file(v).map(|it| o.log_file = it),
    },
    Key {
        name: "log_max_bytes",
        default: "10 MiB",
        values: "bytes, 64 KiB to 1 GiB",
        meaning: "Size at which the log file is put aside as `.1` and begun anew.",
        set: |o, v| bytes(v, 64 << 10, 1 << 30).map(|it| o.log_max_bytes = it),
    },
];

impl Options {
    /// The options of `rheed_init`.
    pub fn for_stream(text: &str) -> Result<Options> {
        let mut options = Options::parse(text)?;
        if options.fps == 0.0 {
            return Err(bad("fps", "is missing: give the camera's frames per second"));
        }
        let least = (2.0 * options.kept_fps()).ceil() as u32;
        if options.chunk_size == 0 {
            options.chunk_size = least.max(1);
        } else if options.chunk_size < least {
            return Err(bad(
                "chunk_size",
                &format!("= {} is less than 2 seconds of frames: with {} at least {least}", options.chunk_size, options.rate()),
            ));
        }
        if options.azimuth.is_some() && options.rotations_per_min > 0.0 {
            return Err(bad("azimuth", "is for a stream that does not rotate: leave it out, or set rotations_per_min = 0"));
        }
        if options.frame_bytes > options.queue_bytes {
            return Err(bad(
                "frame_bytes",
                &format!("= {} is more than queue_bytes = {}", options.frame_bytes, options.queue_bytes),
            ));
        }
        if let Some(window) = options.roi {
            options.check_window(window)?;
        }
        if !options.device_clock && options.device_tick_hz != NS_HZ {
            return Err(bad("device_tick_hz", "is for a camera's own counter: set timestamp_clock = device, or leave it out"));
        }
        if options.stream_name.is_empty() {
            options.stream_name = format!("RHEED Stream @ {}", platform::time_of_day());
        }
        if options.endpoint != Endpoint::None {
            options.remark_on_rate();
        }
        options.complete()
    }

    /// Frames per second that are kept: what is told of a stream's rate is told of these.
    pub fn kept_fps(&self) -> f64 {
        self.fps / f64::from(self.decimate)
    }

    /// That rate, as messages name it.
    pub fn rate(&self) -> String {
        match self.decimate {
            1 => format!("fps = {}", self.fps),
            _ => format!("fps / decimate = {:.3}", self.kept_fps()),
        }
    }

    fn check_window(&self, window: Region) -> Result<()> {
        let (width, height) = (window.width(), window.height());
        let [columns, rows] = [width, height].map(|side| u64::from(side / self.bin));
        if columns * rows == 0 {
            return Err(bad(
                "roi",
                &format!("of {width} x {height} pixels has no square of bin = {}: give a larger one", self.bin),
            ));
        }
        if columns * rows > self.queue_bytes {
            let queue = self.queue_bytes;
            return Err(bad(
                "roi",
                &format!("leaves frames of {columns} x {rows} bytes, which do not fit queue_bytes = {queue}"),
            ));
        }
        Ok(())
    }

    /// More than the service takes is told, and tried.
    fn remark_on_rate(&mut self) {
        if self.kept_fps() > SERVICES_FPS {
            let (rate, decimate) = (self.rate(), (self.fps / SERVICES_FPS).ceil());
            self.remarks.push(format!(
                "{rate}, and by its documentation the service takes at most {SERVICES_FPS} frames per second: decimate = {decimate} would do"
            ));
        }
    }

    /// After so long without a frame the camera stands still; `None`: it may.
    pub fn stall_after(&self) -> Option<Duration> {
        let ten_frames = Duration::from_secs_f64(10.0 / self.fps);
        (!self.stall_timeout.is_zero()).then(|| self.stall_timeout.max(ten_frames))
    }

    /// The options of `rheed_resume`.
    pub fn for_resume(text: &str) -> Result<Options> {
        Options::parse(text)?.complete()
    }

    fn parse(text: &str) -> Result<Options> {
        let mut options = Options::empty();
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            (key.set)(&mut options, key.default).map_err(|right| bad(key.name, &right))?;
        }
        if std::env::var_os("ATOMSCALE_SKIP_CLOCK_SYNC").is_some_and(|value| value != "0") {
            options.clock_sync = false;
        }
        let mut given: Vec<&str> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start_matches('\u{feff}').trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line
                .split_once('=')
                .map(|(name, value)| (name.trim(), value.trim()))
                // The line is not repeated: it may be a key, pasted where it does not belong.
                .ok_or_else(|| option_error(format!("line {} has no `=`: write `key = value`", number + 1)))?;
            let key = KEYS.iter().find(|key| key.name == name).ok_or_else(|| unknown(name, number + 1))?;
            if given.contains(&key.name) {
                return Err(bad(name, "is given twice: give it once"));
            }
            given.push(key.name);
            if value.is_empty() {
                return Err(bad(name, &format!("has no value: give {}, or leave the line out", key.values)));
            }
            // A value that might be secret is not repeated in messages.
            let told =
                if ["api_key", "proxy", "endpoint"].contains(&name) { String::new() } else { format!("= {} ", shown(value)) };
            (key.set)(&mut options, value).map_err(|right| bad(name, &format!("{told}is not right: give {right}")))?;
        }
        Ok(options)
    }

    /// What the environment and files give, and what options demand of each other.
    fn complete(mut self) -> Result<Options> {
        if self.endpoint == Endpoint::Url(String::new()) {
            let address = environment("AS_API_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.into());
            self.endpoint = endpoint(&address).map_err(|right| {
                bad("endpoint", &format!("from the environment's AS_API_ENDPOINT is not right: give {right}"))
            })?;
        }
        if let Endpoint::Url(url) = &self.endpoint {
            if !self.allow_http && url.starts_with("http:") && !is_on_this_computer(url) {
                return Err(bad(
                    "endpoint",
                    "is plain http to another computer, where anybody on the way can read the key: use https, or set allow_http = on",
                ));
            }
            if let Some(proxy) = self.proxy.as_ref().map(Secret::expose).filter(|proxy| *proxy != "none")
                && !self.allow_http
                && url.starts_with("http:")
                && !is_on_this_computer(proxy)
            {
                return Err(bad(
                    "proxy",
                    "is on another computer and the endpoint is plain http, so that anybody on the way can read the key: use https, or set allow_http = on",
                ));
            }
            self.api_key = Some(Secret::new(self.find_api_key()?));
        }
        if self.spool_dir.as_os_str().is_empty() {
            self.spool_dir = platform::default_spool().ok_or_else(|| {
                Error::new(
                    Code::ESpool,
                    format!("no spool folder: set spool_dir, since the environment has no {}", platform::HOME),
                )
            })?;
        }
        Ok(self)
    }

    fn find_api_key(&mut self) -> Result<String> {
        if let Some(key) = self.api_key.take() {
            return Ok(key.expose().into());
        }
        if let Some(path) = &self.api_key_file {
            let (bytes, others_may_read) = platform::named_file(false)
                .open(path)
                .and_then(|file| Ok((platform::read_at_most(&file, LONGEST_KEY_FILE)?, platform::others_may_read(&file)?)))
                .map_err(|error| Error::new(Code::ENotFound, format!("api_key_file {}: {error}", path.display())))?;
            if others_may_read {
                self.remarks.push(format!(
                    "api_key_file {}: other users of this computer can read it; {}",
                    path.display(),
                    platform::KEEP_TO_OWNER
                ));
            }
            let text = String::from_utf8_lossy(&bytes);
            let line = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default().trim();
            return api_key(line).map_err(|right| {
                bad("api_key_file", &format!("{}: its first line should be {right}, in UTF-8", path.display()))
            });
        }
        for name in ["AS_API_KEY", "ATOMSCALE_API_KEY"] {
            if let Some(value) = environment(name) {
                return api_key(value.trim())
                    .map_err(|right| Error::new(Code::EAuth, format!("the environment's {name} should be {right}")));
            }
        }
        Err(Error::new(Code::EAuth, "no API key: set api_key or api_key_file, or AS_API_KEY in the environment"))
    }

    fn empty() -> Options {
        Options {
            fps: 0.0,
            chunk_size: 0,
            rotations_per_min: 0.0,
            stream_name: String::new(),
            physical_sample: None,
            project_id: None,
            tags: Vec::new(),
            azimuth: None,
            api_key: None,
            api_key_file: None,
            endpoint: Endpoint::Url(String::new()),
            allow_http: false,
            proxy: None,
            ca_file: None,
            connect_timeout: Duration::ZERO,
            request_timeout: Duration::ZERO,
            max_workers: 0,
            clock_sync: true,
            queue_bytes: 0,
            frame_bytes: 0,
            block_when_full: false,
            spool_dir: PathBuf::new(),
            spool_max_bytes: 0,
            spool_min_free_bytes: 0,
            spool_retention: Duration::ZERO,
            compression: Compression::Level(0),
            significant_bits: 0,
            significant_bits_at_high: false,
            roi: None,
            bin: 0,
            decimate: 0,
            device_clock: false,
            device_tick_hz: 0.0,
            stall_timeout: Duration::ZERO,
            paced: true,
            verbosity: 0,
            log_file: LogFile::InSpool,
            log_max_bytes: 0,
            remarks: Vec::new(),
        }
    }
}

/// The page `docs/options.md`.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Options\n\n\
         `rheed_init` and `rheed_resume` take their options as one UTF-8 text, a `key = value` a line:\n\n\
         ```\nfps = 60\napi_key_file = C:\\rheed\\key.txt\nphysical_sample = Bi2Se3 on sapphire, run 12\ntags = Bi2Se3, night shift\n```\n\n\
         `#` begins a comment where it is a line's first character that is not blank. The value is everything after the first `=`,\n\
         without the blanks around it; there are no quotes and no escapes, so `D:\\new` is itself. A byte-order mark and carriage\n\
         returns are dropped. Decimals have a point. Sizes are bytes, or have a unit: `KiB`, `MiB`, `GiB`. A key that is unknown or\n\
         given twice, or a value out of range, is `RHEED_E_OPTION`, and the message names the key and what would be right.\n\n\
         This page is made from the table in `src/options.rs`: `cargo xtask options` writes it.\n\n\
         | key | values | default | meaning |\n| --- | --- | --- | --- |\n",
    );
    for key in KEYS {
        let default = if key.default.is_empty() { "" } else { &format!("`{}`", key.default) };
        let _ = writeln!(page, "| `{}` | {} | {} | {} |", key.name, key.values, default, key.meaning);
    }
    page
}

/// Whether an address is one of this computer itself, which nobody else can listen to.
pub fn is_on_this_computer(address: &str) -> bool {
    match Url::parse(address).ok().as_ref().and_then(Url::host_str) {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback()),
        None => false,
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn bad(key: &str, what: &str) -> Error {
    option_error(format!("{key} {what}"))
}

fn option_error(message: String) -> Error {
    Error::new(Code::EOption, message)
}

fn unknown(name: &str, line: usize) -> Error {
    let alike = KEYS
        .iter()
        .map(|key| (distance(name, key.name), key.name))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map_or("docs/options.md lists the keys".into(), |(_, known)| format!("did you mean {known}?"));
    // Names have letters and underscores alone: anything else may be a secret that ends in `=`, and is not repeated.
    let is_name = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let told = if is_name { name.into() } else { format!("what stands before the `=` in line {line}") };
    option_error(format!("{told} is no option: {alike}"))
}

/// How many letters must be changed to make one word the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// A value as it may stand in a message: no control characters, not endless.
fn shown(value: &str) -> String {
    let mut shown = words::one_line(value, 80);
    if value.chars().count() > 80 {
        shown.push_str("...");
    }
    shown
}

fn number(value: &str, least: f64, most: f64) -> std::result::Result<f64, String> {
    match value.parse::<f64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ if value.contains(',') => Err("a number with a decimal point, not a comma".into()),
        _ => Err(format!("a number from {least} to {most}")),
    }
}

fn whole<T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy>(
    value: &str,
    least: T,
    most: T,
) -> std::result::Result<T, String> {
    match value.parse::<T>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("a whole number from {least} to {most}")),
    }
}

fn window(value: &str) -> std::result::Result<Region, String> {
    let sides: Option<Vec<u16>> = value.split(',').map(|side| side.trim_matches([' ', '\t']).parse().ok()).collect();
    let most = u16::MAX.into(); // No frame is larger.
    let window = match sides.as_deref() {
        Some(&[x, y, w, h]) => Region::new(x.into(), y.into(), w.into(), h.into()).filter(|it| it.fits(most, most)),
        _ => None,
    };
    window.ok_or_else(|| format!("x,y,w,h: four whole numbers, w and h from 1 on, x + w and y + h at most {most}"))
}

fn compression(value: &str) -> std::result::Result<Compression, String> {
    if value == "auto" {
        return Ok(Compression::Auto);
    }
    whole(value, -100, 19).map(Compression::Level).map_err(|right| format!("{right}, or auto"))
}

fn milliseconds(value: &str, least: u64, most: u64) -> std::result::Result<Duration, String> {
    whole(value, least, most).map(Duration::from_millis)
}

fn bytes(value: &str, least: u64, most: u64) -> std::result::Result<u64, String> {
    let split = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (digits, unit) = value.split_at(split);
    let factor = match unit.trim() {
        "" | "B" => Some(1),
        "KiB" => Some(1u64 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        "TiB" => Some(1 << 40),
        _ => None,
    };
    factor
        .zip(digits.parse::<u64>().ok())
        .and_then(|(factor, number)| number.checked_mul(factor))
        .filter(|bytes| (least..=most).contains(bytes))
        .ok_or_else(|| format!("bytes from {least} to {most}, as a whole number, or one with KiB, MiB or GiB"))
}

fn switch(value: &str, on: &str, off: &str) -> std::result::Result<bool, String> {
    if value == on {
        Ok(true)
    } else if value == off {
        Ok(false)
    } else {
        Err(format!("{on} or {off}"))
    }
}

fn text(value: &str, most: usize) -> std::result::Result<String, String> {
    if value.len() > most || value.chars().any(char::is_control) {
        return Err(format!("text of at most {most} bytes without control characters"));
    }
    Ok(value.into())
}

fn path(value: &str) -> std::result::Result<PathBuf, String> {
    let path = Path::new(value);
    // Made absolute now: a host may change its current folder.
    if value.contains('\0') { Err("a path".into()) } else { std::path::absolute(path).map_err(|_| "a path".into()) }
}

fn log_file(value: &str) -> std::result::Result<LogFile, String> {
    if value == "none" { Ok(LogFile::None) } else { path(value).map(LogFile::At) }
}

fn tags(value: &str) -> std::result::Result<Vec<String>, String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in value.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        let tag = text(tag, 255)?;
        if !tags.iter().any(|known| known.to_lowercase() == tag.to_lowercase()) {
            tags.push(tag);
        }
    }
    if tags.len() > 100 { Err("at most 100 tags".into()) } else { Ok(tags) }
}

fn api_key(value: &str) -> std::result::Result<String, String> {
    if value.is_empty() || value.len() > 4096 || !value.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
        return Err("a key of printable ASCII without blanks".into());
    }
    Ok(value.into())
}

fn endpoint(value: &str) -> std::result::Result<Endpoint, String> {
    if value == "none" {
        return Ok(Endpoint::None);
    }
    let right = || in_ascii(value, "an address such as https://api.atomscale.ai, or none");
    let url = address(value).ok_or_else(right)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(right());
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("an address without user, password, query and fragment".into());
    }
    Ok(Endpoint::Url(url.as_str().trim_end_matches('/').into()))
}

/// A URL as it is written: the parser drops line ends and tabs, and then another is meant than is seen.
fn address(value: &str) -> Option<Url> {
    Url::parse(value).ok().filter(|_| !value.contains(|c: char| c.is_control() || c.is_whitespace()))
}

fn proxy(value: &str) -> std::result::Result<String, String> {
    if value == "none" {
        return Ok(value.into());
    }
    match address(value) {
        Some(url) if matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") && url.host_str().is_some() => {
            Ok(value.into())
        }
        _ => Err(in_ascii(value, "an address such as http://proxy.example:3128 or socks5h://proxy.example:1080, or none")),
    }
}

/// The tables that names of hosts in all the world's letters take would be a thirtieth of the library.
fn in_ascii(value: &str, right: &str) -> String {
    let advice = if value.is_ascii() { "" } else { ", its host in ASCII: a name with other letters has a form with xn--" };
    format!("{right}{advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(text: &str) -> Result<Options> {
        Options::for_stream(&format!("endpoint = none\nspool_dir = /tmp/spool\n{text}"))
    }

    #[test]
    fn a_host_with_other_letters_than_ascii_is_taken_in_its_other_form_which_is_told() {
        let of =
            |key: &str, value: &str| Options::for_stream(&format!("fps = 1\napi_key = k\nspool_dir = /tmp/s\n{key} = {value}"));
        for key in ["endpoint", "proxy"] {
            for host in ["b\u{fc}cher.example", "BU\u{308}CHER.example"] {
                let refused = of(key, &format!("https://{host}")).unwrap_err();
                assert!(refused.code == Code::EOption && refused.to_string().contains("xn--"), "{refused}");
            }
            assert!(!of(key, "https://two hosts").unwrap_err().to_string().contains("xn--"));
            of(key, "https://xn--bcher-kva.example/b\u{fc}cher").unwrap();
        }
    }

    #[test]
    fn the_options_page_is_what_the_table_says() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/options.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&page, markdown()).unwrap();
        }
        let committed = std::fs::read_to_string(page).unwrap_or_default();
        assert!(committed == markdown(), "docs/options.md is stale: run `cargo xtask options` and commit it");
    }

    #[test]
    fn every_default_in_the_table_is_a_good_value() {
        let options = stream("fps = 30").unwrap();
        assert_eq!((options.chunk_size, options.max_workers, options.queue_bytes), (60, 8, 64 << 20));
        assert!(options.paced && !options.block_when_full && !options.allow_http);
    }

    #[test]
    fn a_value_is_all_after_the_first_equals_sign_without_escapes() {
        let options = stream("\u{feff}fps=2.5\r\n  # note = 1\r\nstream_name = a = b # c \\n\r\n").unwrap();
        assert_eq!(options.stream_name, "a = b # c \\n");
        assert_eq!(options.chunk_size, 5);
    }

    #[test]
    fn a_bad_option_is_named_with_what_would_be_right() {
        for (text, words) in [
            ("", "fps is missing"),
            ("fps = 0", "fps = 0 is not right"),
            ("fps = nan", "a number from"),
            ("fps = 12,5", "decimal point"),
            ("fps = 10\nfps = 10", "given twice"),
            ("fps = 10\nchunksize = 3", "did you mean chunk_size?"),
            ("fps = 10\nnonsense_here = 3", "docs/options.md"),
            ("fps = 10\nchunk_size = 19", "at least 20"),
            ("fps = 10\nqueue_bytes = 12 parsecs", "KiB"),
            ("fps = 10\nwhen_full = wait", "block or drop"),
            ("fps = 10\nproject_id = 7", "a UUID"),
            ("fps = 10\nazimuth = [110]\nrotations_per_min = 3", "does not rotate"),
            ("fps = 10\nlog_file =", "has no value"),
            ("fps = 10\nverbose", "has no `=`"),
            ("fps = 10\nframe_bytes = 65 MiB", "queue_bytes"),
            ("fps = 10\nsignificant_bits_at = top", "high or low"),
            ("fps = 10\nroi = 1,2,3", "x,y,w,h: four whole numbers"),
            ("fps = 10\nroi = 1,2,3,4,5", "x,y,w,h"),
            ("fps = 10\nroi = 1,2,3,-4", "x,y,w,h"),
            ("fps = 10\nroi = 1 2 3 4", "x,y,w,h"),
            ("fps = 10\nroi = 1,2,0,4", "w and h from 1 on"),
            ("fps = 10\nroi = 1,2,3,0x4", "x,y,w,h"),
            ("fps = 10\nroi = 0,65535,1,1", "at most 65535"),
            ("fps = 10\nroi = 1,2,3,8\nbin = 4", "roi of 3 x 8 pixels has no square of bin = 4"),
            ("fps = 10\nbin = 4\nroi = 1,2,8,3", "has no square"),
            ("fps = 10\nroi = 0,0,8193,8192", "queue_bytes = 67108864"),
            ("fps = 10\nbin = 3", "1, 2 or 4"),
            ("fps = 10\nbin = 0", "1, 2 or 4"),
            ("fps = 10\nbin = 8", "1, 2 or 4"),
            ("fps = 10\ndecimate = 0", "a whole number from 1 to 1000"),
            ("fps = 10\ndecimate = 1001", "a whole number from 1 to 1000"),
            ("fps = 10\ndecimate = 2.5", "a whole number from 1 to 1000"),
            ("fps = 500\ndecimate = 6\nchunk_size = 166", "with fps / decimate = 83.333 at least 167"),
            ("fps = 10\ndevice_tick_hz = 125000000", "set timestamp_clock = device"),
            ("fps = 10\ntimestamp_clock = device\ndevice_tick_hz = 0", "a number from 1 to"),
            ("fps = 10\ntimestamp_clock = camera", "device or host"),
            ("fps = 10\nstall_timeout_ms = 5 s", "a whole number from 0"),
        ] {
            let error = stream(text).unwrap_err();
            assert_eq!(error.code, Code::EOption, "{text}");
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_window_is_four_numbers_with_or_without_blanks() {
        let window = Region::new;
        for (text, expected) in [
            ("roi = 1,2,3,4", window(1, 2, 3, 4)),
            ("roi = 0 , 10,\t640 ,480", window(0, 10, 640, 480)),
            ("roi = 65534,0,1,65535\nbin = 1", window(65_534, 0, 1, 65_535)),
            ("roi = 0,0,16384,16384\nbin = 2", window(0, 0, 16_384, 16_384)),
            ("bin = 4", None),
        ] {
            assert_eq!(stream(&format!("fps = 1\n{text}")).unwrap().roi, expected, "{text}");
        }
    }

    #[test]
    fn the_streams_rate_is_that_of_the_frames_which_are_kept() {
        let options = stream("fps = 500\ndecimate = 6").unwrap();
        assert_eq!((options.fps, options.chunk_size), (500.0, 167));
        assert!((options.kept_fps() - 500.0 / 6.0).abs() < 1e-9);
        assert_eq!(stream("fps = 0.001\ndecimate = 1000").unwrap().chunk_size, 1);
    }

    #[test]
    fn more_frames_per_second_than_the_service_takes_are_remarked_upon_with_the_decimate_that_would_do() {
        let remarks = |text: &str| Options::for_stream(&format!("api_key = k\nspool_dir = /s\n{text}")).unwrap().remarks;
        for quiet in ["fps = 120", "fps = 500\ndecimate = 5", "fps = 500\nendpoint = none"] {
            assert_eq!(remarks(quiet), [""; 0], "{quiet}");
        }
        let told = remarks("fps = 500").join("");
        assert!(
            told.starts_with("fps = 500, ") && told.contains("at most 120") && told.contains("decimate = 5 would do"),
            "{told}"
        );
        let told = remarks("fps = 500\ndecimate = 2").join("");
        assert!(told.starts_with("fps / decimate = 250.000, ") && told.contains("decimate = 5 would do"), "{told}");
    }

    #[test]
    fn plain_http_beyond_this_computer_must_be_allowed() {
        let with = |endpoint: &str| Options::for_stream(&format!("fps = 1\napi_key = k\nspool_dir = /tmp/s\n{endpoint}"));
        assert_eq!(with("endpoint = http://rheed.example").unwrap_err().code, Code::EOption);
        for good in
            ["http://127.0.0.1:80/", "http://127.9.8.7", "http://[::1]:8080", "http://localhost", "https://rheed.example/api/"]
        {
            with(&format!("endpoint = {good}")).unwrap();
        }
        with("endpoint = http://rheed.example\nallow_http = on").unwrap();
        for elsewhere in [
            "http://localhost.evil.example",
            "http://127.0.0.1.nip.io",
            "http://127.0.0.1@evil.example",
            "http://localhost:80@evil.example",
            "http://evil.example\\@127.0.0.1",
            "http://evil.example#@127.0.0.1",
            "http://evil.example?@127.0.0.1",
            "http://0.0.0.0",
            "http://[::]",
            "http://128.0.0.1",
            "http://10.0.0.1",
            "http://169.254.169.254",
            "http://[::ffff:10.0.0.1]",
            "http://[fe80::1]",
            "http://\t127.0.0.1",
            "HTTP://RHEED.EXAMPLE",
        ] {
            let refused = with(&format!("endpoint = {elsewhere}")).err();
            assert!(refused.is_some_and(|error| error.code == Code::EOption), "{elsewhere}");
        }
        // Other ways to write this computer's address are this computer.
        for (here, as_url) in [
            ("http://2130706433/", "http://127.0.0.1"),
            ("http://0x7f.1", "http://127.0.0.1"),
            ("http://LOCALHOST", "http://localhost"),
        ] {
            assert_eq!(with(&format!("endpoint = {here}")).unwrap().endpoint, Endpoint::Url(as_url.into()));
        }
    }

    #[test]
    fn a_plain_endpoint_and_a_proxy_elsewhere_must_be_allowed() {
        let with = |proxy: &str, more: &str| {
            Options::for_stream(&format!("fps=1\napi_key=k\nspool_dir=/s\nendpoint=http://127.0.0.1:1\nproxy={proxy}\n{more}"))
        };
        let refused = with("http://somebody:password@proxy.example:3128", "").unwrap_err();
        assert!(refused.code == Code::EOption && !refused.to_string().contains("password"), "{refused}");
        with("http://proxy.example:3128", "allow_http=on").unwrap();
        for near in ["http://localhost:3128", "http://127.0.0.1:3128", "none"] {
            with(near, "").unwrap();
        }
    }

    #[test]
    fn a_proxy_that_is_none_is_named_without_its_password() {
        for bad in [
            "ftp://u:secret@p.example",
            "u:secret@p.example",
            "http://",
            "http://u:secret@p.example\r:80@evil.example",
            "socks4://u:secret@p",
            "secret",
        ] {
            let error = Options::for_stream(&format!("fps=1\napi_key=k\nspool_dir=/s\nproxy={bad}")).unwrap_err();
            let said = error.to_string();
            assert!(
                error.code == Code::EOption && said.contains("proxy") && said.contains("http://proxy.example:3128"),
                "{said}"
            );
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn a_key_is_never_repeated_in_a_message() {
        for misplaced in [
            "api_key = se cret",
            "api_key = s\u{e9}cret",
            "api_key = secret\u{1}",
            "api_key = secret\napi_key = secret",
            "api_key: secret",
            "secret",
            "secret-5ecret==",
            "api_kee = secret",
            "endpoint = https://user:secret@rheed.example",
            "endpoint = https://rheed.example/?key=secret",
        ] {
            let error = Options::for_stream(&format!("fps = 1\n{misplaced}")).unwrap_err();
            assert_eq!(error.code, Code::EOption, "{misplaced}");
            assert!(!error.to_string().contains("cret"), "{error}");
        }
    }

    #[test]
    fn a_key_file_gives_its_first_line_whatever_editor_wrote_it() {
        let file = std::env::temp_dir().join(format!("rheed-key-{}", Uuid::now_v7()));
        let open = || Options::for_stream(&format!("fps = 1\nspool_dir = /tmp/s\napi_key_file = {}", file.display()));
        let missing = open().unwrap_err();
        assert!(missing.code == Code::ENotFound && missing.to_string().contains("api_key_file"), "{missing}");
        std::fs::write(&file, "\u{feff}the-key \r\nnot the key\r\n").unwrap();
        assert_eq!(open().unwrap().api_key, Some(Secret::new("the-key")));
        std::fs::write(&file, "a%key:with/odd\"characters'\\=").unwrap();
        assert_eq!(open().unwrap().api_key, Some(Secret::new("a%key:with/odd\"characters'\\=")));
        let utf_16: Vec<u8> = [0xff, 0xfe].into_iter().chain("secret".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        for bad in [&b"\n"[..], b"", b"se cret", b"secret\0", "s\u{e9}cret".as_bytes(), b"\xff\xfesecret", &utf_16, &[b'c'; 5000]]
        {
            std::fs::write(&file, bad).unwrap();
            let error = open().unwrap_err();
            assert!(error.code == Code::EOption && error.to_string().contains("its first line should be a key"), "{error}");
            assert!(!error.to_string().contains("cret"), "{error}");
        }
        std::fs::write(&file, vec![b'c'; 1 << 20]).unwrap();
        assert!(open().unwrap_err().to_string().contains("longer than"));
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn tags_are_trimmed_and_told_once() {
        assert_eq!(stream("fps = 1\ntags = GaAs, , gaas ,InAs").unwrap().tags, ["GaAs", "InAs"]);
    }
}
