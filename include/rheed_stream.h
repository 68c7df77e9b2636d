/*
 * rheed-stream: puts a growth chamber's RHEED camera on line.
 *
 * A program opens a stream with rheed_init, hands over each frame with rheed_push (which copies it and never waits) or lets the
 * camera write it into the library's memory (rheed_acquire, rheed_commit), and ends with rheed_finalize. Every function returns a
 * code (RHEED_OK = 0, negative = nothing was done, positive = done with a remark) and may be called from any thread. Made from the
 * sources by `cargo xtask header`: edit those.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */


#ifndef RHEED_STREAM_H
#define RHEED_STREAM_H

#include <stdint.h>

/* The calling convention of every function and callback. */
#if defined(_WIN32) && !defined(_WIN64)
#define RHEED_CALL __cdecl
#else
#define RHEED_CALL
#endif

/* The interface's number: compare with rheed_abi(). */
#define RHEED_ABI 1

/* For rheed_push's frame_id: the camera gives no ids. */
#define RHEED_NO_FRAME_ID UINT64_MAX

/* Whether a code says that nothing was taken or done. */
#define RHEED_FAILED(code) ((code) < 0)


/**
 * What every function returns. 0 is success; a negative code means that nothing was taken or done; a positive one means
 * done, with a remark. RHEED_FAILED(code) is true for the negative ones.
 */
typedef enum {
    /** Done. */
    RHEED_OK = 0,
    /** Done as far as the time allowed: something is still under way, and goes on in the background. Nothing is lost. */
    RHEED_W_PENDING = 1,
    /** Done, but frames were lost or set aside on the way: RHEED_STAT_FRAMES_LOST says how many, RHEED_TEXT_REPORT why. */
    RHEED_W_LOSS = 2,
    /** Done, but the text did not fit the buffer and was cut: *needed has the size that it wants. */
    RHEED_W_TRUNCATED = 3,
    /** An argument is wrong: RHEED_TEXT_LAST_ERROR (rheed_init, rheed_resume: `message`) says which, and what would be right. */
    RHEED_E_ARGUMENT = -1,
    /** The handle is none of this process's open ones: never opened, freed, or made up. */
    RHEED_E_HANDLE = -2,
    /** An option is unknown, repeated or has a bad value: the message names the key and what would be right. */
    RHEED_E_OPTION = -3,
    /** The pixel format is not one that can be taken. */
    RHEED_E_FORMAT = -4,
    /** No slot is free: the encoder or the disk is slower than the camera. The frame was not taken, and is counted. */
    RHEED_E_QUEUE_FULL = -5,
    /** The stream was finalized or freed: it takes no more frames. A frame that gets this answer is counted nowhere. */
    RHEED_E_CLOSED = -6,
    /** The service refuses the API key (401 or 403), or there is none. */
    RHEED_E_AUTH = -7,
    /** The service refuses what was asked of it; the text has its words. */
    RHEED_E_REFUSED = -8,
    /** The service cannot be spoken to as set up: a proxy or certificate file that cannot be used. */
    RHEED_E_NETWORK = -9,
    /** The spool folder cannot be used: missing rights, not a folder, or taken by another process. */
    RHEED_E_SPOOL = -10,
    /** The disk or the spool has reached its bound: the frame was not taken, and is counted. */
    RHEED_E_DISK_FULL = -11,
    /** Reserved: time-outs answer RHEED_W_PENDING where something goes on. */
    RHEED_E_TIMEOUT = -12,
    /** What was named does not exist: a sample's UUID at the service, a spool folder, a file. */
    RHEED_E_NOT_FOUND = -13,
    /** The process is a forked child: the library belongs to the parent. After exec it can be used anew. */
    RHEED_E_FORKED = -14,
    /**
     * rheed_abort or rheed_shutdown ended the wait or closed the stream; or the process ends, and Windows has ended all threads. A
     * frame that gets this answer is counted nowhere.
     */
    RHEED_E_ABORTED = -15,
    /**
     * An error inside the library. The stream may be closed by it (event RHEED_EVENT_FAULT); its spool is kept. A frame that gets this
     * answer is counted nowhere.
     */
    RHEED_E_INTERNAL = -16,
} rheed_code;

/** Where a stream stands (RHEED_STAT_STATE). */
typedef enum {
    /** The service has not answered yet. */
    RHEED_STATE_CONNECTING = 1,
    /** The service cannot be reached, or refuses the key or the stream: frames go to the spool and are sent when it takes them. */
    RHEED_STATE_OFFLINE = 2,
    /** The stream exists at the service and frames are taken. */
    RHEED_STATE_STREAMING = 3,
    /** endpoint = none: frames are taken and stay in the spool. */
    RHEED_STATE_SPOOLING = 4,
    /** Finalize was called: what is left is being sent, then the stream is ended. */
    RHEED_STATE_FINALIZING = 5,
    /** Everything is confirmed or accounted for, and the stream is ended (endpoint = none: all is in the spool). */
    RHEED_STATE_FINALIZED = 6,
    /** Aborted: nothing more is sent by this process, the spool is kept. */
    RHEED_STATE_ABORTED = 7,
    /** Closed by an internal fault; the spool is kept. */
    RHEED_STATE_FAULT = 8,
} rheed_state;

/** How a stream is (RHEED_STAT_HEALTH). */
typedef enum {
    /** All is well. */
    RHEED_HEALTH_GOOD = 0,
    /**
     * Look when there is time: offline; frames missed, incomplete, dropped, rejected or lost at some time; a camera that stands
     * still; rate off; disk getting low.
     */
    RHEED_HEALTH_LOOK = 1,
    /** Act: frames are being refused or lost, or the service refuses the key. */
    RHEED_HEALTH_ACT = 2,
} rheed_health;

/** Index of each value of rheed_stats. All are counts since rheed_init unless said otherwise; -1 = not known (yet). */
typedef enum {
    /** One of RHEED_STATE_*. */
    RHEED_STAT_STATE = 0,
    /** One of RHEED_HEALTH_*. */
    RHEED_STAT_HEALTH = 1,
    /**
     * Frames taken: a push or commit returned RHEED_OK, and the option decimate did not leave the frame out (resume: frames found
     * in the spool). Always confirmed + lost + pending.
     */
    RHEED_STAT_FRAMES_ACCEPTED = 2,
    /** Frames whose upload the service has confirmed. */
    RHEED_STAT_FRAMES_CONFIRMED = 3,
    /** Frames taken and neither confirmed nor lost: in slots, in the open chunk, or in the spool. */
    RHEED_STAT_FRAMES_PENDING = 4,
    /** Frames taken and then lost or set aside, each with a reason in the report. */
    RHEED_STAT_FRAMES_LOST = 5,
    /** Frames refused for want of room: RHEED_E_QUEUE_FULL or RHEED_E_DISK_FULL. A frame that is tried again counts each time. */
    RHEED_STAT_FRAMES_DROPPED = 6,
    /** Frames refused for bad arguments or formats, slots that are none included. */
    RHEED_STAT_FRAMES_REJECTED = 7,
    /**
     * Frames that the camera lost, by gaps in the ids of one camera. A wrap (after 65535 or 4294967295) or a restart is none, nor is
     * a frame that comes late, by fewer than 4,096, which is taken off again. A gap of more than 64 counts when three ids go on
     * behind it; one of more than 600,000, or of more than 4,096 across a wrap, is a counter set anew, and none is missed. A single id
     * that is far from those before and behind it says nothing; if it is 0, it stands for a frame whose id could not be read.
     */
    RHEED_STAT_FRAMES_MISSED = 8,
    /** Frames taken or left out that were flagged RHEED_FRAME_INCOMPLETE. */
    RHEED_STAT_FRAMES_INCOMPLETE = 9,
    /** Chunks closed and ready to be sent. */
    RHEED_STAT_CHUNKS_SEALED = 10,
    /** Chunks whose upload the service has confirmed. */
    RHEED_STAT_CHUNKS_CONFIRMED = 11,
    /** Chunks sealed and neither confirmed nor lost. */
    RHEED_STAT_CHUNKS_PENDING = 12,
    /** Chunks set aside or lost. */
    RHEED_STAT_CHUNKS_LOST = 13,
    /** Bytes of the frames taken, 8 bits a pixel. */
    RHEED_STAT_BYTES_RAW = 14,
    /** Bytes of the shards they became. */
    RHEED_STAT_BYTES_SHARDS = 15,
    /** Bytes of shards sent, repeats included. */
    RHEED_STAT_BYTES_SENT = 16,
    /** Frames that wait in slots for the encoder now; slots that are acquired are none (the report counts them). */
    RHEED_STAT_QUEUE_FRAMES = 17,
    /** Bytes in the spool folder now, all its streams together. */
    RHEED_STAT_SPOOL_BYTES = 18,
    /** Seconds until the spool or disk is full at the present rate, were nothing sent. */
    RHEED_STAT_SPOOL_SECONDS_LEFT = 19,
    /** Free bytes on the spool's disk. */
    RHEED_STAT_DISK_FREE_BYTES = 20,
    /** Milliseconds since the last frame was taken or left out. */
    RHEED_STAT_LAST_FRAME_AGE_MS = 21,
    /** Milliseconds since the last chunk was confirmed. */
    RHEED_STAT_LAST_CONFIRMED_AGE_MS = 22,
    /** Measured frames per 1000 seconds, over the last chunk; of the frames that are kept. */
    RHEED_STAT_FPS_MILLI = 23,
    /** Frames taken note of and left out, as the option decimate says; not among the accepted. */
    RHEED_STAT_FRAMES_LEFT_OUT = 24,
    /**
     * How often no frame came for stall_timeout_ms. A stream that is given whole chunks is not watched; one that is run is from the
     * first push of a run to its end.
     */
    RHEED_STAT_CAMERA_STALLS = 25,
    /**
     * timestamp_clock = device: Unix time minus the camera's time (its counter divided by device_tick_hz) now, in nanoseconds. The
     * next one, the bound, says whether it is known: any number may be right, -1 too.
     */
    RHEED_STAT_CAMERA_CLOCK_OFFSET_NS = 26,
    /**
     * So many nanoseconds that offset, and the times that frames are given by it, may be off, beyond the smallest delay of frames on
     * their way, which nobody sees from here; -1 while it is not known.
     */
    RHEED_STAT_CAMERA_CLOCK_BOUND_NS = 27,
} rheed_stat;

/** Which text rheed_text gives. All but the report fit 1,024 bytes. */
typedef enum {
    /** The service's id of the stream; "" with RHEED_W_PENDING until it is created. */
    RHEED_TEXT_DATA_ID = 1,
    /** The id that this library gave the stream: its folder in the spool. There from the start. */
    RHEED_TEXT_LOCAL_ID = 2,
    /** One line for a person. */
    RHEED_TEXT_STATUS = 3,
    /**
     * The latest failure of this handle, on any thread; "" if none. No call waits for who reads it: one that fails in the very moment
     * of another thread's reading or failing may leave it as it was.
     */
    RHEED_TEXT_LAST_ERROR = 4,
    /** JSON (UTF-8, at most 64 KiB): every count, losses grouped by reason; after rheed_resume every stream of the spool. */
    RHEED_TEXT_REPORT = 5,
    /** The spool folder in use. */
    RHEED_TEXT_SPOOL_DIR = 6,
    /** The log file in use; "" if none. */
    RHEED_TEXT_LOG_FILE = 7,
} rheed_text_kind;

/** What rheed_next_event tells; `value` is said for each. */
typedef enum {
    /** No event is waiting. */
    RHEED_EVENT_NONE = 0,
    /** The service answers and the stream exists there. value: 0. */
    RHEED_EVENT_CONNECTED = 1,
    /** The service cannot be reached. Frames go on to the spool. value: chunks pending. */
    RHEED_EVENT_OFFLINE = 2,
    /** A chunk's upload is confirmed. value: chunk index. */
    RHEED_EVENT_CHUNK_CONFIRMED = 3,
    /** A chunk was refused for good and is kept beside the spool; the text has the reason. value: chunk index. */
    RHEED_EVENT_CHUNK_SET_ASIDE = 4,
    /** Frames that had been taken are lost; the text has the reason. value: how many. */
    RHEED_EVENT_FRAMES_LOST = 5,
    /** The camera lost frames, by a gap in the frame ids. value: how many. */
    RHEED_EVENT_FRAMES_MISSED = 6,
    /** A chunk's measured frame rate is more than 5 % off the declared one (fps / decimate). value: measured frames per 1000 s. */
    RHEED_EVENT_RATE_OFF = 7,
    /** Time stamps are no Unix time, or do not increase. Once a chunk at most. value: stamps concerned. */
    RHEED_EVENT_STAMPS_ODD = 8,
    /** A burst of frames was refused since no slot was free; told when it begins, the text has the cause. value: frames dropped so far. */
    RHEED_EVENT_QUEUE_FULL = 9,
    /** The spool or its disk is nearly full. value: seconds left at the present rate, -1 when not known. */
    RHEED_EVENT_DISK_LOW = 10,
    /** The stream is complete at the service and ended (endpoint = none: complete in the spool). value: frames lost. */
    RHEED_EVENT_FINALIZED = 11,
    /** The stream was closed by an internal fault; its spool is kept. value: 0. */
    RHEED_EVENT_FAULT = 12,
    /** The service refuses (the key, the stream, a link): the text has its words. Data are kept, tries go on slowly. value: HTTP status. */
    RHEED_EVENT_REFUSED = 13,
    /** What a dead or earlier process left in the spool was taken up. value: frames found. */
    RHEED_EVENT_TAKEN_UP = 14,
    /**
     * No frame has come for stall_timeout_ms, whether to be taken or refused, or, for a minute at least, none since the stream was
     * opened. Told once, until one comes. Streams that are given whole chunks are not watched, and with rheed_run only from the first
     * push of a run to its end. value: ms since the last, or since then.
     */
    RHEED_EVENT_CAMERA_STALLED = 15,
    /** A frame comes again. value: ms since the one before. */
    RHEED_EVENT_CAMERA_BACK = 16,
    /**
     * timestamp_clock = device: the camera's counter was reset or set, or stood still, and is mapped anew; or it does not run at
     * device_tick_hz, or does not count at all, and frames are stamped when they are pushed; or it has been right for a minute again.
     * value: by how many nanoseconds what it shows is now later than before (less than 0: earlier); 0 = its rate, wrong or right again.
     */
    RHEED_EVENT_CAMERA_CLOCK = 17,
} rheed_event;

/**
 * Pixel formats by their GenICam PFNC codes. Bits 16 to 23 are the bits per pixel. Frames are kept with 8 bits a pixel, by one
 * mapping that never changes. Rows of packed formats begin with a whole byte. docs/formats.md has it all in a table.
 */
typedef enum {
    /** 8 bits. */
    RHEED_FORMAT_MONO8 = 17301505,
    /** 10 bits in 16, little-endian: value >> 2 is kept. */
    RHEED_FORMAT_MONO10 = 17825795,
    /** 12 bits in 16, little-endian: value >> 4 is kept. */
    RHEED_FORMAT_MONO12 = 17825797,
    /** 14 bits in 16, little-endian: value >> 6 is kept. */
    RHEED_FORMAT_MONO14 = 17825829,
    /** 16 bits, little-endian. Options say how many of them bear the picture (significant_bits, 16) and at which end (significant_bits_at). */
    RHEED_FORMAT_MONO16 = 17825799,
    /** GigE Vision: 10 bits, 2 pixels in 3 bytes, the middle one with the low bits of both: value >> 2 is kept. */
    RHEED_FORMAT_MONO10_PACKED = 17563652,
    /** GigE Vision: 12 bits, 2 pixels in 3 bytes, the middle one with the low bits of both: value >> 4 is kept. */
    RHEED_FORMAT_MONO12_PACKED = 17563654,
    /** 10 bits without gaps, the least significant first, 4 pixels in 5 bytes: value >> 2 is kept. */
    RHEED_FORMAT_MONO10P = 17432646,
    /** 12 bits without gaps, the least significant first, 2 pixels in 3 bytes: value >> 4 is kept. */
    RHEED_FORMAT_MONO12P = 17563719,
    /** Bayer. Not taken, nor is any other Bayer format: RHEED_E_FORMAT. Set the camera to a Mono format. */
    RHEED_FORMAT_BAYER_RG8 = 17301513,
    /** 3 bytes a pixel, red, green, blue. Their luma by ITU-R BT.601 is kept: 0.299 R + 0.587 G + 0.114 B, rounded to the nearest. */
    RHEED_FORMAT_RGB8 = 35127316,
    /** 3 bytes a pixel, blue, green, red: their luma is kept, as of RGB8. */
    RHEED_FORMAT_BGR8 = 35127317,
    /** YUV422_8: 2 bytes a pixel, Y0 U Y1 V for each two. The Y bytes are kept as they are. */
    RHEED_FORMAT_YUYV = 34603058,
    /** YUV422_8_UYVY: 2 bytes a pixel, U Y0 V Y1 for each two. The Y bytes are kept as they are. */
    RHEED_FORMAT_UYVY = 34603039,
} rheed_format;

/** Flags of a pushed frame. */
typedef enum {
    /** The camera's SDK said that parts of the frame are missing. It is taken as it is, and counted. */
    RHEED_FRAME_INCOMPLETE = 1,
} rheed_frame_flag;

/**
 * A handle to a stream: a checked number, never a pointer. Between 2^32 and 2^53, so that neither an int nor a double
 * mangles it unseen; 0 is none. Any call with a handle that is not open answers RHEED_E_HANDLE.
 */
typedef uint64_t rheed_stream;

/**
 * A frame source for rheed_run. Called on the thread that called rheed_run, once a frame time, with the user pointer, the
 * stream and a number that counts from 0. It hands its frame over by calling rheed_push. It returns 1 to go on, 0 to end,
 * a negative number to abort the stream. It may call any function of the library; it must not throw or longjmp. In a child that
 * it forks rheed_run returns RHEED_E_FORKED.
 */
typedef int32_t (RHEED_CALL *rheed_source)(void *user, rheed_stream stream, uint64_t index);

/**
 * Receives log messages: level 1 error, 2 warning or milestone, 3 each chunk, 4 each frame and request. Called on a library
 * thread, one call at a time; `message` is UTF-8 without a line end and valid during the call only. It may call any function
 * but rheed_shutdown; while it waits no message is written. A child that it forks must not return from it.
 */
typedef void (RHEED_CALL *rheed_log_callback)(void *user, int32_t level, const char *message);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/** The library's version, e.g. "1.2.3". Static text, never freed. Any thread, never waits. */
const char *RHEED_CALL rheed_version(void);

/**
 * The number of the interface that the library in use has. A program compares it with RHEED_ABI of the header that it
 * was built with, and goes on only if they are equal. Any thread, never waits.
 */
int32_t RHEED_CALL rheed_abi(void);

/**
 * Static English text for a code; for a number that is no code, a text that says so. Never NULL, never freed.
 * Any thread, never waits.
 */
const char *RHEED_CALL rheed_strerror(int32_t code);

/**
 * Opens a stream.
 *
 * `options`: UTF-8 text, NUL-terminated, a `key = value` a line; docs/options.md lists the keys. Only `fps` is required. On
 * Windows text that is not UTF-8 is read in the ANSI code page; what the library says is UTF-8 everywhere.
 * `stream` receives the handle (0 when the call fails). `message` (may be NULL if `message_size` is 0) receives, in at most
 * `message_size` bytes with the NUL, what went wrong, or a remark on what to look at though the stream is open (no network,
 * a key file that everybody can read); "" otherwise.
 *
 * Waits for the service's first answer, at most connect_timeout_ms. A network that is down is no failure: RHEED_OK, the
 * frames go to the spool, the stream is created when the service answers. What an earlier process left in the same spool
 * for the same endpoint is taken up and sent in the background.
 *
 * Returns RHEED_OK, RHEED_E_ARGUMENT (NULL, no text), RHEED_E_OPTION, RHEED_E_AUTH (no key, or refused),
 * RHEED_E_NOT_FOUND (an unknown sample UUID, no file api_key_file or ca_file), RHEED_E_REFUSED (the service's words are in `message`), RHEED_E_NETWORK
 * (proxy or ca_file cannot be used), RHEED_E_SPOOL, RHEED_E_DISK_FULL, RHEED_E_ABORTED (rheed_shutdown came meanwhile),
 * RHEED_E_FORKED, RHEED_E_INTERNAL (also when the system has no more threads or open files for this process).
 * Ownership: the texts are copied; end the handle with rheed_free. Any thread.
 */
int32_t RHEED_CALL rheed_init(const char *options,
                   rheed_stream *stream,
                   char *message,
                   int32_t message_size);

/**
 * Takes up what earlier processes left in a spool: the morning after. Creates no stream of its own; uploads, finishes
 * and ends what it finds under the same endpoint, and what was recorded with `endpoint = none`. `fps` is not required.
 *
 * The handle takes rheed_flush (waits until all is sent and ended), rheed_stats, rheed_text, rheed_next_event,
 * rheed_abort and rheed_free. Arguments, ownership and codes as for rheed_init, and RHEED_E_NOT_FOUND when spool_dir does
 * not exist. Does not wait for the network. Any thread.
 */
int32_t RHEED_CALL rheed_resume(const char *options,
                     rheed_stream *spool,
                     char *message,
                     int32_t message_size);

/**
 * Gives one frame to the stream. It is copied before the call returns; `pixels` stays the caller's.
 *
 * `pixels`, `size_bytes`: the frame and how many bytes may be read there. Whoever writes there during the call, such as a camera
 * whose ring of buffers has come round, gets a torn picture, and nothing worse. `width`, `height`: in pixels.
 * `stride_bytes`: from one row to the next, 0 = rows without padding (packed: rows of whole bytes); the last row may lack
 * its padding.
 * `pixel_format`: RHEED_FORMAT_*, 0 = Mono8. 10 to 16 bits, packed or not, are reduced to 8 by one fixed shift, colours to their
 * luma. The options roi and bin say what is kept of a frame, decimate which frames are: one that is left out is checked, noted by
 * its id, counted (RHEED_STAT_FRAMES_LEFT_OUT) and answered with RHEED_OK, and copied only where regions are measured.
 * `frame_id`: the camera's count, RHEED_NO_FRAME_ID if there is none (a GigE Vision camera says so with 0: give RHEED_NO_FRAME_ID
 * for it). Gaps are counted as missed frames. Of several threads, ids may come out of order by fewer than 4,096; a jump by more
 * than 64 is counted when others go on from it (RHEED_STAT_FRAMES_MISSED has the rules). All are of one camera.
 * `timestamp_ns`: capture time by this computer's clock, Unix time in nanoseconds; 0 = now. With the option
 * timestamp_clock = device: the camera's own counter as it is, in ticks of device_tick_hz, a uint64_t as the int64_t of the same
 * bits; it is mapped to Unix time (docs/time.md), and 0 is still now.
 * `flags`: 0 or RHEED_FRAME_INCOMPLETE.
 *
 * Never waits, never touches disk or network, unless `when_full = block` or inside rheed_run: then it waits for a slot,
 * until finalize, abort or free. Any thread, several at once: frames stay whole, and their order is the order in which
 * the calls finish copying. May be called from a camera's callback.
 *
 * Returns RHEED_OK, RHEED_E_ARGUMENT, RHEED_E_HANDLE, RHEED_E_FORMAT, RHEED_E_QUEUE_FULL (counted), RHEED_E_DISK_FULL
 * (counted), RHEED_E_CLOSED, RHEED_E_ABORTED, RHEED_E_FORKED, RHEED_E_INTERNAL. Never positive: a frame is taken or not. One that
 * is answered RHEED_E_ARGUMENT or RHEED_E_FORMAT counts as rejected; one that is answered RHEED_E_CLOSED, RHEED_E_ABORTED or
 * RHEED_E_INTERNAL, or met no stream at all, is counted nowhere.
 */
int32_t RHEED_CALL rheed_push(rheed_stream stream,
                   const void *pixels,
                   uint64_t size_bytes,
                   uint32_t width,
                   uint32_t height,
                   uint32_t stride_bytes,
                   uint32_t pixel_format,
                   uint64_t frame_id,
                   int64_t timestamp_ns,
                   uint32_t flags);

/**
 * Zero copy: lends the caller a slot, which a camera (its driver, its DMA) writes a frame into, and which rheed_commit takes
 * without a copy. `*pixels` receives the address of at least `size_bytes` bytes that may be read and written, on a cache
 * line (64 bytes); NULL when the call fails. What is in them before is not said.
 *
 * `size_bytes`: the frame as the camera writes it, padding and all; at most queue_bytes. Memory is allocated when it is more
 * than any frame before needed, and all slots are then so large: best say the largest at once, in the option frame_bytes.
 *
 * The slot is the caller's until rheed_commit answers RHEED_OK or rheed_discard. Nothing takes it away: rheed_finalize,
 * rheed_abort, rheed_free and rheed_shutdown do not wait for it, and its memory stays even after them, until rheed_discard.
 * All that are acquired are queue_bytes at most, and of two sizes at most. Acquired, committed and pushed frames may be mixed,
 * in any order and on any threads.
 *
 * Never waits, unless `when_full = block` or inside rheed_run: then it waits for a slot, until finalize, abort or free; who
 * has acquired all of them waits for himself. A frame that finds no slot counts as dropped; its id, of which the stream never
 * hears, as missed. Any thread; while rheed_run runs only its source, on its thread. Returns RHEED_OK, RHEED_E_ARGUMENT (NULL
 * or such a size, counted as rejected; also when the stream takes chunks or is run), RHEED_E_HANDLE, RHEED_E_QUEUE_FULL
 * (counted), RHEED_E_DISK_FULL (it waited for a slot, and the disk fails: counted), RHEED_E_CLOSED, RHEED_E_ABORTED,
 * RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_acquire(rheed_stream stream,
                      uint64_t size_bytes,
                      void **pixels);

/**
 * Takes the frame that was written into an acquired slot. `pixels`: what rheed_acquire gave, for this stream. All else is as
 * for rheed_push, of which this is the rest: the frame is checked against the size_bytes that were acquired, and stamped and
 * counted in the same way. Mono8 without padding stays where it lies; all else is brought to 8 bits a pixel in place, and what roi
 * and bin keep of it to the slot's beginning. The slot of a frame that decimate leaves out is free again.
 *
 * RHEED_OK: the slot is the library's, and nobody may write there any more. Negative: nothing was taken, and the slot is
 * still the caller's, to be committed again or discarded. Each refusal counts as dropped or rejected, also of a frame that is
 * taken later; its id is noted once. An address that is no acquired slot of this stream (never given, committed or discarded
 * before, inside a slot, of another stream) is RHEED_E_ARGUMENT, and counts as rejected; of several calls at once with one
 * slot, one has it. As with any memory, what was given back may have been given out again.
 *
 * Never waits or touches disk or network, and allocates only where there is something to tell: the first refusal of a burst,
 * the first gap in a chunk's frame ids, a camera that is back, its clock mapped anew (at most every 10 s) or at another rate, the
 * first time stamp that is none. A commit that meets the end of its stream (RHEED_E_CLOSED, RHEED_E_ABORTED) may have
 * brought the pixels to 8 bits already. Frames come in the order of their commits. Any thread, not only the one that
 * acquired; but while rheed_run runs only its source, on its thread, and what the source had acquired can after the run only
 * be discarded (RHEED_E_ARGUMENT). Returns what rheed_push returns: after rheed_finalize RHEED_E_CLOSED, after rheed_abort
 * RHEED_E_ABORTED, after rheed_free RHEED_E_HANDLE. RHEED_E_QUEUE_FULL is rare: 4,096 frames wait (with `when_full = block`
 * it waits).
 */
int32_t RHEED_CALL rheed_commit(rheed_stream stream,
                     void *pixels,
                     uint32_t width,
                     uint32_t height,
                     uint32_t stride_bytes,
                     uint32_t pixel_format,
                     uint64_t frame_id,
                     int64_t timestamp_ns,
                     uint32_t flags);

/**
 * Gives an acquired slot back; takes and counts nothing. Nobody may write there any more.
 *
 * It works as long as the slot is there: after rheed_finalize and rheed_abort, after rheed_shutdown, and after rheed_free
 * with the number that the handle had. The memory goes with the last slot. Any thread, never waits. Returns RHEED_OK,
 * RHEED_E_ARGUMENT (no acquired slot of this stream), RHEED_E_HANDLE, RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_discard(rheed_stream stream,
                      void *pixels);

/**
 * Gives a whole chunk to the stream, under an index of the caller's: count frames of width x height, one after another
 * without padding, `size_bytes` in all. Chunks may come in any order, and from several threads at once; an index
 * comes once. `count` is at most chunk_size, and is chunk_size for all chunks but the last.
 *
 * `pixel_format`: RHEED_FORMAT_*, 0 = Mono8; the options roi and bin hold as for rheed_push, decimate is refused here
 * (RHEED_E_ARGUMENT). `start_ns`: when the first frame was captured, Unix time in nanoseconds by
 * this computer's clock, whatever timestamp_clock says; 0 = the chunk has just ended.
 *
 * Encodes on the calling thread from the caller's memory and returns when the chunk is in the spool: it takes time, and
 * waits for the disk. A stream takes either frames or chunks: mixing is RHEED_E_ARGUMENT. Any thread. Returns RHEED_OK,
 * RHEED_E_ARGUMENT, RHEED_E_HANDLE, RHEED_E_FORMAT, RHEED_E_SPOOL, RHEED_E_DISK_FULL, RHEED_E_CLOSED, RHEED_E_ABORTED,
 * RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_push_chunk(rheed_stream stream,
                         uint64_t chunk_index,
                         const void *frames,
                         uint64_t size_bytes,
                         uint32_t count,
                         uint32_t width,
                         uint32_t height,
                         uint32_t pixel_format,
                         int64_t start_ns);

/**
 * Pull mode: calls `source` on this thread once a frame time (1/fps, whatever decimate says; as fast as it can with
 * `pace = off`), until it returns 0. Inside, rheed_push waits for room. When the source is late the schedule shifts: nothing is
 * bunched up. Then the last chunk is closed, and the call returns when all is in the spool; rheed_finalize follows as ever.
 *
 * `user` is handed to `source` as it is. Any thread; one run at a time. A stream that is run takes no frames from
 * elsewhere, not even from other threads. Returns RHEED_OK, RHEED_E_ARGUMENT (also when the source answers something else
 * than it may: the last chunk then stays open), RHEED_E_HANDLE, RHEED_E_CLOSED (finalized or freed meanwhile),
 * RHEED_E_ABORTED (aborted, also by a negative answer of the source), RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_run(rheed_stream stream,
                  rheed_source source,
                  void *user);

/**
 * Waits until every frame pushed before this call, in chunks that are closed, is confirmed by the service (after
 * rheed_resume: until the whole spool is). The chunk that is still open is not waited for. With `endpoint = none`: until
 * those chunks are in the spool.
 *
 * `timeout_ms`: negative = until done or aborted, 0 = look and return. Any thread. Returns RHEED_OK, RHEED_W_PENDING (out
 * of time, or the handle was freed meanwhile; after rheed_resume also: a folder could not be read), RHEED_W_LOSS (done, but
 * this stream has losses), RHEED_E_HANDLE, RHEED_E_ABORTED, RHEED_E_FORKED,
 * RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_flush(rheed_stream stream,
                    int32_t timeout_ms);

/**
 * Takes no more frames, closes the last chunk, uploads what is left and ends the stream at the service. Pushes that wait
 * return RHEED_E_CLOSED. With `endpoint = none`: done when all is in the spool.
 *
 * `timeout_ms`: negative = until done or aborted, 0 = look and return. Out of time it answers RHEED_W_PENDING: nothing is
 * lost, it goes on in the background, and a second call waits again. The handle stays open for questions until
 * rheed_free. Any thread, also inside a source. Returns RHEED_OK, RHEED_W_PENDING, RHEED_W_LOSS, RHEED_E_ARGUMENT (a handle
 * of rheed_resume), RHEED_E_HANDLE, RHEED_E_ABORTED, RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_finalize(rheed_stream stream,
                       int32_t timeout_ms);

/**
 * Stops at once: every call that waits on this stream returns RHEED_E_ABORTED, uploads stop, no more frames are taken.
 * Frames already taken are still written to the spool, which is kept for the next rheed_init or rheed_resume. The handle
 * stays open for questions. Any thread, never waits. Returns RHEED_OK, RHEED_E_HANDLE, RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_abort(rheed_stream stream);

/**
 * Gives the handle back. Calls that wait on it return. A stream that was not finalized is: its last chunk is closed and
 * its uploads go on in the background, until rheed_shutdown or the process's end; what is then left waits for the next
 * rheed_init or rheed_resume on the spool. Slots that are acquired stay so: a camera may still write there, and rheed_discard
 * gives them back, with the number that the handle had. Any thread, never waits. Returns RHEED_OK, RHEED_E_HANDLE,
 * RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_free(rheed_stream stream);

/**
 * Aborts every stream and ends every thread of the library; rheed_init works again afterwards. Handles stay open for
 * questions until they are freed. Call it before a plug-in is unloaded, and before a process ends that has freed streams without
 * finalizing them: it waits until their frames are in the spool. Else those last ones that are still in memory end with the process.
 *
 * On Windows it may be called, as rheed_finalize may, when a DLL is unloaded that calls the library, in its static destructor
 * or its DllMain: with a time-out, since Windows lets no thread begin there, and one that has to would be waited for. At the
 * end of the process that is too late: its threads are gone, and every call answers RHEED_E_ABORTED at once.
 *
 * `timeout_ms`: negative = until done, 0 = look and return. Any thread of the caller's, but not inside a log callback
 * (RHEED_E_ARGUMENT). Returns RHEED_OK, RHEED_W_PENDING (out of time, or frames are left in a spool), RHEED_W_LOSS,
 * RHEED_E_ARGUMENT, RHEED_E_ABORTED (too late), RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_shutdown(int32_t timeout_ms);

/**
 * One snapshot of a stream's statistics: values[RHEED_STAT_x] for the first `count` of them, in which accepted =
 * confirmed + lost + pending. `values` may be NULL when count is 0; values beyond those that this version knows are left
 * alone. `needed` (may be NULL) receives how many there are. A frame counts from when its push returns.
 * Any thread, never waits. Returns RHEED_OK, RHEED_E_ARGUMENT, RHEED_E_HANDLE, RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_stats(rheed_stream stream,
                    int64_t *values,
                    int32_t count,
                    int32_t *needed);

/**
 * Copies a text of a stream, RHEED_TEXT_*, into the caller's buffer: UTF-8, always NUL-terminated, cut on a character
 * boundary if it does not fit. `needed` (may be NULL) receives the size it wants, with the NUL; `buffer` may be NULL when
 * `size` is 0. Any thread, never waits, but that the report after rheed_resume reads files. Returns RHEED_OK,
 * RHEED_W_TRUNCATED, RHEED_W_PENDING (the data id does not exist
 * yet), RHEED_E_ARGUMENT, RHEED_E_HANDLE, RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_text(rheed_stream stream,
                   int32_t which,
                   char *buffer,
                   int32_t size,
                   int32_t *needed);

/**
 * Takes the oldest waiting event of a stream: its kind (RHEED_EVENT_*), when it happened (Unix time, nanoseconds), its
 * value and a line of text. Each pointer may be NULL. None waiting within `timeout_ms`: RHEED_OK and kind 0. At most
 * 1,024 wait; then the oldest is dropped, which the report counts.
 *
 * `timeout_ms`: 0 = look and return, negative = until there is one, the stream is over or aborted. On a stream that is over
 * it returns at once, whatever the time-out. Any thread; each event is told once. Returns RHEED_OK, RHEED_W_TRUNCATED (the text was cut: 1,024 bytes are enough), RHEED_E_ARGUMENT,
 * RHEED_E_HANDLE, RHEED_E_ABORTED, RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_next_event(rheed_stream stream,
                         int32_t timeout_ms,
                         int32_t *kind,
                         int64_t *time_ns,
                         int64_t *value,
                         char *buffer,
                         int32_t size,
                         int32_t *needed);

/**
 * Sends the log messages of all streams up to `verbosity` (0 to 4) to a function instead of stderr; NULL: back to stderr,
 * each stream by its option `verbosity`. When the call returns, the former function is not running and is not called
 * again (unless it is itself the caller). Log files are not affected. Any thread; waits for a call in progress.
 * Returns RHEED_OK, RHEED_E_ARGUMENT, RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_set_log(rheed_log_callback callback,
                      void *user,
                      int32_t verbosity);

/**
 * Sets one of 8 regions of a stream, rectangles whose brightness is measured in every frame, or moves it: `region` 0 to 7,
 * `x` columns from the left and `y` rows from the top, `width` x `height` pixels of the frames as they are kept.
 * `width` and `height` 0: there is no such region any more. Regions may overlap.
 *
 * Every frame is measured that is taken by rheed_push or rheed_commit (also inside rheed_run) after this call, at the full
 * rate, on the thread that compresses: neither of the two takes longer for it. Those that the option decimate leaves out are
 * measured, too, and copied for it as the others are, but wait for no slot (except inside rheed_run) and take one only where
 * that leaves half of the slots free: under load they go unmeasured first. Network and service play no part: the readings
 * come as long as frames are taken. A frame that is refused is not measured; while the spool's disk takes nothing, frames
 * wait, and are then refused.
 * rheed_region_read gives the readings; those of a former place are gone. To set a region where it is changes nothing.
 *
 * The first call allocates 1.6 MB, which stay until the stream ends: the readings of the last 16,384 frames of all 8 regions
 * (136 s at 120 frames per second, 32 s at 500).
 *
 * Any thread, never waits. Returns RHEED_OK, RHEED_E_ARGUMENT (no such region; it does not lie in frames like the last one,
 * or before the first one in 65,535 x 65,535 pixels; only one of the sides is 0; the stream is given whole chunks, which are not
 * measured; a handle of rheed_resume), RHEED_E_HANDLE, RHEED_E_CLOSED and RHEED_E_ABORTED (no more frames will come),
 * RHEED_E_FORKED, RHEED_E_INTERNAL (also without memory for the readings).
 */
int32_t RHEED_CALL rheed_region_set(rheed_stream stream,
                         int32_t region,
                         uint32_t x,
                         uint32_t y,
                         uint32_t width,
                         uint32_t height);

/**
 * Copies a region's readings, a frame each, oldest first: those newer than `*position`, at most `capacity`. `*position` is 0
 * at first and goes on with each call; it is all that a reader needs, so several may read. `*count` receives how many were
 * written. Fewer than `capacity`: that is all for now. Call it again, a few times a second.
 *
 * Each array takes `capacity` values, or is NULL when it is not wanted. `times_ns`: when the frame was captured, Unix time in
 * nanoseconds: its timestamp_ns, or when it was pushed; with timestamp_clock = device what the camera's counter was mapped to.
 * `frame_ids`: the camera's count or RHEED_NO_FRAME_ID. `flags`: those that the frame was pushed with, 0 or
 * RHEED_FRAME_INCOMPLETE: a frame of which parts are missing is measured as it came, and its reading may not be the spot's. Of
 * the region's pixels, with 8 bits each: `means`, 0 to 255; `maxima`; `sums`. In a frame in which the region does not lie, since
 * the frame size changed, the mean is NaN, maximum and sum are -1.
 *
 * `missed` (may be NULL) receives how many of the region's readings were overwritten before this call could give them: of
 * 16,384 frames they are kept. `*position` is the number of the last frame that was read or missed, among all frames that
 * were measured since the first rheed_region_set: readings of two regions with one number are of one frame.
 *
 * Any thread, also while others read and push; never waits. Works after rheed_finalize and rheed_abort, until rheed_free.
 * When it fails, count and missed are 0 and position is as before. Returns RHEED_OK, RHEED_E_ARGUMENT (no
 * such region, or it is not set; position or count is NULL; a negative capacity; a position that is still to come; a handle
 * of rheed_resume), RHEED_E_HANDLE, RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_region_read(rheed_stream stream,
                          int32_t region,
                          uint64_t *position,
                          int64_t *times_ns,
                          uint64_t *frame_ids,
                          uint32_t *flags,
                          double *means,
                          int32_t *maxima,
                          int64_t *sums,
                          int32_t capacity,
                          int32_t *count,
                          int64_t *missed);

/**
 * For LabVIEW: the procedure for Reserve on a Call Library Function Node's Callbacks tab (labview/README.md). LabVIEW calls
 * it when the top-level VI is about to run that will come to the node. `*instance`, which LabVIEW keeps for the node,
 * receives a number that stands for the node until it is unreserved.
 *
 * A node that is reserved again, by a second top-level VI, keeps its number and is unreserved as often. Starts nothing, any
 * thread, never waits. Returns RHEED_OK, RHEED_E_ARGUMENT (NULL), RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_labview_reserve(void **instance);

/**
 * For LabVIEW: the procedure for Unreserve. LabVIEW calls it when the top-level VI has ended, in whatever way. When it was
 * called as often as rheed_labview_reserve, frees, as rheed_free does, the streams that are attached to the node and that no
 * VI has freed itself: what was taken goes on in the background, what the process leaves waits in the spool for the next.
 * `*instance` becomes NULL then.
 *
 * A node that is not reserved (any more) has no streams: nothing is done. Any thread, never waits. Returns RHEED_OK,
 * RHEED_E_ARGUMENT (`instance` is NULL, or what is there is neither NULL nor from rheed_labview_reserve), RHEED_E_FORKED,
 * RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_labview_unreserve(void **instance);

/**
 * For LabVIEW: the procedure for Abort. Does what rheed_abort does to all streams that are attached to the node: each call
 * that waits for one of them, on any thread, returns RHEED_E_ABORTED. The frames already taken are written to the spool and
 * stay there for the next rheed_init or rheed_resume. The streams stay attached.
 *
 * Any thread, never waits. Returns RHEED_OK (also where nothing is attached), RHEED_E_ARGUMENT (as for
 * rheed_labview_unreserve), RHEED_E_FORKED, RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_labview_abort(void **instance);

/**
 * For LabVIEW: rheed_init and rheed_labview_attach in one call, so that there is no moment in which an aborted VI would
 * leave the stream behind. `instance` is given by LabVIEW: a parameter of type Instance Data Pointer. All else as for
 * rheed_init.
 *
 * A node that is not reserved opens nothing. Where the node is unreserved during the call, the stream that it opened is
 * freed, and the call fails. Waits as rheed_init does. Returns what rheed_init returns, and RHEED_E_ARGUMENT (`instance` is
 * NULL, or its node is not reserved: `message` says what to do).
 */
int32_t RHEED_CALL rheed_labview_init(const char *options,
                           rheed_stream *stream,
                           char *message,
                           int32_t message_size,
                           void **instance);

/**
 * For LabVIEW: binds a stream (of rheed_init or rheed_resume) to the node that makes this call, whose callbacks then end it.
 * `instance` is given by LabVIEW: a parameter of type Instance Data Pointer.
 *
 * A stream is bound to one node: the last it was attached to. Attaching it again changes nothing; freeing or finalizing it
 * as ever remains right, and the node forgets it. Any thread, never waits. Returns RHEED_OK, RHEED_E_ARGUMENT (`instance` is
 * NULL, or its node is not reserved: RHEED_TEXT_LAST_ERROR says what to do), RHEED_E_HANDLE, RHEED_E_FORKED,
 * RHEED_E_INTERNAL.
 */
int32_t RHEED_CALL rheed_labview_attach(rheed_stream stream,
                             void **instance);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* RHEED_STREAM_H */
