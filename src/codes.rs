//! The numbers of the C interface: codes, states, statistics, texts, events, pixel formats.
//!
//! The header's enumerators are made from these, comments included, so the comments speak to a C programmer. A value never
//! changes its meaning; one that is retired stays reserved.

/// What every function returns. 0 is success; a negative code means that nothing was taken or done; a positive one means
/// done, with a remark. RHEED_FAILED(code) is true for the negative ones.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// Done.
    Ok = 0,
    /// Done as far as the time allowed: something is still under way, and goes on in the background. Nothing is lost.
    WPending = 1,
    /// Done, but frames were lost or set aside on the way: RHEED_STAT_FRAMES_LOST says how many, RHEED_TEXT_REPORT why.
    WLoss = 2,
    /// Done, but the text did not fit the buffer and was cut: *needed has the size that it wants.
    WTruncated = 3,
    /// An argument is wrong: RHEED_TEXT_LAST_ERROR (rheed_init, rheed_resume: `message`) says which, and what would be right.
    EArgument = -1,
    /// The handle is none of this process's open ones: never opened, freed, or made up.
    EHandle = -2,
    /// An option is unknown, repeated or has a bad value: the message names the key and what would be right.
    EOption = -3,
    /// The pixel format is not one that can be taken.
    EFormat = -4,
    /// No slot is free: the encoder or the disk is slower than the camera. The frame was not taken, and is counted.
    EQueueFull = -5,
    /// The stream was finalized or freed: it takes no more frames. A frame that gets this answer is counted nowhere.
    EClosed = -6,
    /// The service refuses the API key (401 or 403), or there is none.
    EAuth = -7,
    /// The service refuses what was asked of it; the text has its words.
    ERefused = -8,
    /// The service cannot be spoken to as set up: a proxy or certificate file that cannot be used.
    ENetwork = -9,
    /// The spool folder cannot be used: missing rights, not a folder, or taken by another process.
    ESpool = -10,
    /// The disk or the spool has reached its bound: the frame was not taken, and is counted.
    EDiskFull = -11,
    /// Reserved: time-outs answer RHEED_W_PENDING where something goes on.
    ETimeout = -12,
    /// What was named does not exist: a sample's UUID at the service, a spool folder, a file.
    ENotFound = -13,
    /// The process is a forked child: the library belongs to the parent. After exec it can be used anew.
    EForked = -14,
    /// rheed_abort or rheed_shutdown ended the wait or closed the stream; or the process ends, and Windows has ended all threads. A
    /// frame that gets this answer is counted nowhere.
    EAborted = -15,
    /// An error inside the library. The stream may be closed by it (event RHEED_EVENT_FAULT); its spool is kept. A frame that gets this
    /// answer is counted nowhere.
    EInternal = -16,
}

impl Code {
    /// Every code, for tables and tests.
    pub const ALL: [Code; 20] = [
        Code::Ok,
        Code::WPending,
        Code::WLoss,
        Code::WTruncated,
        Code::EArgument,
        Code::EHandle,
        Code::EOption,
        Code::EFormat,
        Code::EQueueFull,
        Code::EClosed,
        Code::EAuth,
        Code::ERefused,
        Code::ENetwork,
        Code::ESpool,
        Code::EDiskFull,
        Code::ETimeout,
        Code::ENotFound,
        Code::EForked,
        Code::EAborted,
        Code::EInternal,
    ];

    /// The static text of a code, for `rheed_strerror`.
    pub fn text(self) -> &'static std::ffi::CStr {
        match self {
            Code::Ok => c"done",
            Code::WPending => c"still under way, goes on in the background",
            Code::WLoss => c"done, but frames were lost or set aside",
            Code::WTruncated => c"the text was cut to fit the buffer",
            Code::EArgument => c"bad argument",
            Code::EHandle => c"not an open stream handle",
            Code::EOption => c"bad option",
            Code::EFormat => c"pixel format not taken",
            Code::EQueueFull => c"no free slot: the frame was not taken",
            Code::EClosed => c"the stream is closed",
            Code::EAuth => c"the service refuses the API key",
            Code::ERefused => c"the service refuses the request",
            Code::ENetwork => c"the network cannot be used as set up",
            Code::ESpool => c"the spool folder cannot be used",
            Code::EDiskFull => c"the disk or spool is full: the frame was not taken",
            Code::ETimeout => c"out of time",
            Code::ENotFound => c"not found",
            Code::EForked => c"the library belongs to the parent of this forked process",
            Code::EAborted => c"aborted",
            Code::EInternal => c"internal error",
        }
    }
}

/// Where a stream stands (RHEED_STAT_STATE).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The service has not answered yet.
    Connecting = 1,
    /// The service cannot be reached, or refuses the key or the stream: frames go to the spool and are sent when it takes them.
    Offline = 2,
    /// The stream exists at the service and frames are taken.
    Streaming = 3,
    /// endpoint = none: frames are taken and stay in the spool.
    Spooling = 4,
    /// Finalize was called: what is left is being sent, then the stream is ended.
    Finalizing = 5,
    /// Everything is confirmed or accounted for, and the stream is ended (endpoint = none: all is in the spool).
    Finalized = 6,
    /// Aborted: nothing more is sent by this process, the spool is kept.
    Aborted = 7,
    /// Closed by an internal fault; the spool is kept.
    Fault = 8,
}

/// How a stream is (RHEED_STAT_HEALTH).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    Good = 0,
    /// Look when there is time: offline; frames missed, incomplete, dropped, rejected or lost at some time; a camera that stands
    /// still; rate off; disk getting low.
    Look = 1,
    /// Act: frames are being refused or lost, or the service refuses the key.
    Act = 2,
}

/// Index of each value of rheed_stats. All are counts since rheed_init unless said otherwise; -1 = not known (yet).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stat {
    /// One of RHEED_STATE_*.
    State = 0,
    /// One of RHEED_HEALTH_*.
    Health = 1,
    /// Frames taken: a push or commit returned RHEED_OK, and the option decimate did not leave the frame out (resume: frames found
    /// in the spool). Always confirmed + lost + pending.
    FramesAccepted = 2,
    /// Frames whose upload the service has confirmed.
    FramesConfirmed = 3,
    /// Frames taken and neither confirmed nor lost: in slots, in the open chunk, or in the spool.
    FramesPending = 4,
    /// Frames taken and then lost or set aside, each with a reason in the report.
    FramesLost = 5,
    /// Frames refused for want of room: RHEED_E_QUEUE_FULL or RHEED_E_DISK_FULL. A frame that is tried again counts each time.
    FramesDropped = 6,
    /// Frames refused for bad arguments or formats, slots that are none included.
    FramesRejected = 7,
    /// Frames that the camera lost, by gaps in the ids of one camera. A wrap (after 65535 or 4294967295) or a restart is none, nor is
    /// a frame that comes late, by fewer than 4,096, which is taken off again. A gap of more than 64 counts when three ids go on
    /// behind it; one of more than 600,000, or of more than 4,096 across a wrap, is a counter set anew, and none is missed. A single id
    /// that is far from those before and behind it says nothing; if it is 0, it stands for a frame whose id could not be read.
    FramesMissed = 8,
    /// Frames taken or left out that were flagged RHEED_FRAME_INCOMPLETE.
    FramesIncomplete = 9,
    /// Chunks closed and ready to be sent.
    ChunksSealed = 10,
    /// Chunks whose upload the service has confirmed.
    ChunksConfirmed = 11,
    /// Chunks sealed and neither confirmed nor lost.
    ChunksPending = 12,
    /// Chunks set aside or lost.
    ChunksLost = 13,
    /// Bytes of the frames taken, 8 bits a pixel.
    BytesRaw = 14,
    /// Bytes of the shards they became.
    BytesShards = 15,
    /// Bytes of shards sent, repeats included.
    BytesSent = 16,
    /// Frames that wait in slots for the encoder now; slots that are acquired are none (the report counts them).
    QueueFrames = 17,
    /// Bytes in the spool folder now, all its streams together.
    SpoolBytes = 18,
    /// Seconds until the spool or disk is full at the present rate, were nothing sent.
    SpoolSecondsLeft = 19,
    /// Free bytes on the spool's disk.
    DiskFreeBytes = 20,
    /// Milliseconds since the last frame was taken or left out.
    LastFrameAgeMs = 21,
    /// Milliseconds since the last chunk was confirmed.
    LastConfirmedAgeMs = 22,
    /// Measured frames per 1000 seconds, over the last chunk; of the frames that are kept.
    FpsMilli = 23,
    /// Frames taken note of and left out, as the option decimate says; not among the accepted.
    FramesLeftOut = 24,
    /// How often no frame came for stall_timeout_ms. A stream that is given whole chunks is not watched; one that is run is from the
    /// first push of a run to its end.
    CameraStalls = 25,
    /// timestamp_clock = device: Unix time minus the camera's time (its counter divided by device_tick_hz) now, in nanoseconds. The
    /// next one, the bound, says whether it is known: any number may be right, -1 too.
    CameraClockOffsetNs = 26,
    /// So many nanoseconds that offset, and the times that frames are given by it, may be off, beyond the smallest delay of frames on
    /// their way, which nobody sees from here; -1 while it is not known.
    CameraClockBoundNs = 27,
}

impl Stat {
    /// How many there are in this version: what rheed_stats writes to *needed.
    pub const COUNT: usize = 28;
}

/// Which text rheed_text gives. All but the report fit 1,024 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// The service's id of the stream; "" with RHEED_W_PENDING until it is created.
    DataId = 1,
    /// The id that this library gave the stream: its folder in the spool. There from the start.
    LocalId = 2,
    /// One line for a person.
    Status = 3,
    /// The latest failure of this handle, on any thread; "" if none. No call waits for who reads it: one that fails in the very moment
    /// of another thread's reading or failing may leave it as it was.
    LastError = 4,
    /// JSON (UTF-8, at most 64 KiB): every count, losses grouped by reason; after rheed_resume every stream of the spool.
    Report = 5,
    /// The spool folder in use.
    SpoolDir = 6,
    /// The log file in use; "" if none.
    LogFile = 7,
}

impl Text {
    /// The text that a number from C asks for.
    pub fn from_number(which: i32) -> Option<Text> {
        [Text::DataId, Text::LocalId, Text::Status, Text::LastError, Text::Report, Text::SpoolDir, Text::LogFile]
            .into_iter()
            .find(|text| *text as i32 == which)
    }
}

/// What rheed_next_event tells; `value` is said for each.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// No event is waiting.
    None = 0,
    /// The service answers and the stream exists there. value: 0.
    Connected = 1,
    /// The service cannot be reached. Frames go on to the spool. value: chunks pending.
    Offline = 2,
    /// A chunk's upload is confirmed. value: chunk index.
    ChunkConfirmed = 3,
    /// A chunk was refused for good and is kept beside the spool; the text has the reason. value: chunk index.
    ChunkSetAside = 4,
    /// Frames that had been taken are lost; the text has the reason. value: how many.
    FramesLost = 5,
    /// The camera lost frames, by a gap in the frame ids. value: how many.
    FramesMissed = 6,
    /// A chunk's measured frame rate is more than 5 % off the declared one (fps / decimate). value: measured frames per 1000 s.
    RateOff = 7,
    /// Time stamps are no Unix time, or do not increase. Once a chunk at most. value: stamps concerned.
    StampsOdd = 8,
    /// A burst of frames was refused since no slot was free; told when it begins, the text has the cause. value: frames dropped so far.
    QueueFull = 9,
    /// The spool or its disk is nearly full. value: seconds left at the present rate, -1 when not known.
    DiskLow = 10,
    /// The stream is complete at the service and ended (endpoint = none: complete in the spool). value: frames lost.
    Finalized = 11,
    /// The stream was closed by an internal fault; its spool is kept. value: 0.
    Fault = 12,
    /// The service refuses (the key, the stream, a link): the text has its words. Data are kept, tries go on slowly. value: HTTP status.
    Refused = 13,
    /// What a dead or earlier process left in the spool was taken up. value: frames found.
    TakenUp = 14,
    /// No frame has come for stall_timeout_ms, whether to be taken or refused, or, for a minute at least, none since the stream was
    /// opened. Told once, until one comes. Streams that are given whole chunks are not watched, and with rheed_run only from the first
    /// push of a run to its end. value: ms since the last, or since then.
    CameraStalled = 15,
    /// A frame comes again. value: ms since the one before.
    CameraBack = 16,
    /// timestamp_clock = device: the camera's counter was reset or set, or stood still, and is mapped anew; or it does not run at
    /// device_tick_hz, or does not count at all, and frames are stamped when they are pushed; or it has been right for a minute again.
    /// value: by how many nanoseconds what it shows is now later than before (less than 0: earlier); 0 = its rate, wrong or right again.
    CameraClock = 17,
}

/// Pixel formats by their GenICam PFNC codes. Bits 16 to 23 are the bits per pixel. Frames are kept with 8 bits a pixel, by one
/// mapping that never changes. Rows of packed formats begin with a whole byte. docs/formats.md has it all in a table.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 8 bits.
    Mono8 = 0x0108_0001,
    /// 10 bits in 16, little-endian: value >> 2 is kept.
    Mono10 = 0x0110_0003,
    /// 12 bits in 16, little-endian: value >> 4 is kept.
    Mono12 = 0x0110_0005,
    /// 14 bits in 16, little-endian: value >> 6 is kept.
    Mono14 = 0x0110_0025,
    /// 16 bits, little-endian. Options say how many of them bear the picture (significant_bits, 16) and at which end (significant_bits_at).
    Mono16 = 0x0110_0007,
    /// GigE Vision: 10 bits, 2 pixels in 3 bytes, the middle one with the low bits of both: value >> 2 is kept.
    Mono10Packed = 0x010C_0004,
    /// GigE Vision: 12 bits, 2 pixels in 3 bytes, the middle one with the low bits of both: value >> 4 is kept.
    Mono12Packed = 0x010C_0006,
    /// 10 bits without gaps, the least significant first, 4 pixels in 5 bytes: value >> 2 is kept.
    Mono10p = 0x010A_0046,
    /// 12 bits without gaps, the least significant first, 2 pixels in 3 bytes: value >> 4 is kept.
    Mono12p = 0x010C_0047,
    /// Bayer. Not taken, nor is any other Bayer format: RHEED_E_FORMAT. Set the camera to a Mono format.
    BayerRG8 = 0x0108_0009,
    /// 3 bytes a pixel, red, green, blue. Their luma by ITU-R BT.601 is kept: 0.299 R + 0.587 G + 0.114 B, rounded to the nearest.
    Rgb8 = 0x0218_0014,
    /// 3 bytes a pixel, blue, green, red: their luma is kept, as of RGB8.
    Bgr8 = 0x0218_0015,
    /// YUV422_8: 2 bytes a pixel, Y0 U Y1 V for each two. The Y bytes are kept as they are.
    Yuyv = 0x0210_0032,
    /// YUV422_8_UYVY: 2 bytes a pixel, U Y0 V Y1 for each two. The Y bytes are kept as they are.
    Uyvy = 0x0210_001F,
}

/// Flags of a pushed frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFlag {
    /// The camera's SDK said that parts of the frame are missing. It is taken as it is, and counted.
    Incomplete = 1,
}

impl FrameFlag {
    /// Whether it is among a frame's flags.
    pub fn is_in(self, flags: u32) -> bool {
        flags & self as u32 != 0
    }
}

/// For rheed_push's frame_id: the camera gives no ids.
pub const NO_FRAME_ID: u64 = u64::MAX;

/// The interface's number: rheed_abi() of the library in use must equal the header's.
pub const ABI: i32 = 1;
