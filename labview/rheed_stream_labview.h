/*
 * rheed-stream for LabVIEW's import wizard: rheed_stream.h without includes, macros, enumerators and callbacks. README.md tells
 * what to set by hand afterwards, rheed_stream.h what each function does, numbers.md the numbers. Made from the sources by
 * `cargo xtask header`. C programs include rheed_stream.h, not this.
 *
 * Left out:
 *   rheed_run: calls a function of the caller's, and a diagram has none: push in a timed loop
 *   rheed_set_log: calls a function of the caller's: read the log file and rheed_next_event
 *   rheed_labview_reserve: for the Callbacks tab: LabVIEW calls it by itself
 *   rheed_labview_unreserve: for the Callbacks tab: LabVIEW calls it by itself
 *   rheed_labview_abort: for the Callbacks tab: LabVIEW calls it by itself
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

/* The library's version, e.g. "1.2.3". */
const char *rheed_version(void);

/* The number of the interface that the library in use has. */
int rheed_abi(void);

/* Static English text for a code; for a number that is no code, a text that says so. */
const char *rheed_strerror(int code);

/* Opens a stream. `options`: UTF-8 text, NUL-terminated, a `key = value` a line; docs/options.md lists the keys. */
int rheed_init(const char *options, unsigned long long *stream, char *message, int message_size);

/* Takes up what earlier processes left in a spool: the morning after. */
int rheed_resume(const char *options, unsigned long long *spool, char *message, int message_size);

/* Gives one frame to the stream. */
int rheed_push(unsigned long long stream, const unsigned char *pixels, unsigned long long size_bytes, unsigned int width, unsigned int height, unsigned int stride_bytes, unsigned int pixel_format, unsigned long long frame_id, long long timestamp_ns, unsigned int flags);

/* Zero copy: lends the caller a slot, which a camera (its driver, its DMA) writes a frame into, and which rheed_commit takes without a copy. `*pixels` receives the address of at least `size_bytes` bytes that may be read and written, on a cache line (64 bytes); NULL when the call fails. */
int rheed_acquire(unsigned long long stream, unsigned long long size_bytes, void **pixels);

/* Takes the frame that was written into an acquired slot. `pixels`: what rheed_acquire gave, for this stream. */
int rheed_commit(unsigned long long stream, void *pixels, unsigned int width, unsigned int height, unsigned int stride_bytes, unsigned int pixel_format, unsigned long long frame_id, long long timestamp_ns, unsigned int flags);

/* Gives an acquired slot back; takes and counts nothing. */
int rheed_discard(unsigned long long stream, void *pixels);

/* Gives a whole chunk to the stream, under an index of the caller's: count frames of width x height, one after another without padding, `size_bytes` in all. */
int rheed_push_chunk(unsigned long long stream, unsigned long long chunk_index, const unsigned char *frames, unsigned long long size_bytes, unsigned int count, unsigned int width, unsigned int height, unsigned int pixel_format, long long start_ns);

/* Waits until every frame pushed before this call, in chunks that are closed, is confirmed by the service (after rheed_resume: until the whole spool is). */
int rheed_flush(unsigned long long stream, int timeout_ms);

/* Takes no more frames, closes the last chunk, uploads what is left and ends the stream at the service. */
int rheed_finalize(unsigned long long stream, int timeout_ms);

/* Stops at once: every call that waits on this stream returns RHEED_E_ABORTED, uploads stop, no more frames are taken. */
int rheed_abort(unsigned long long stream);

/* Gives the handle back. */
int rheed_free(unsigned long long stream);

/* Aborts every stream and ends every thread of the library; rheed_init works again afterwards. */
int rheed_shutdown(int timeout_ms);

/* One snapshot of a stream's statistics: values[RHEED_STAT_x] for the first `count` of them, in which accepted = confirmed + lost + pending. `values` may be NULL when count is 0; values beyond those that this version knows are left alone. `needed` (may be NULL) receives how many there are. */
int rheed_stats(unsigned long long stream, long long *values, int count, int *needed);

/* Copies a text of a stream, RHEED_TEXT_*, into the caller's buffer: UTF-8, always NUL-terminated, cut on a character boundary if it does not fit. `needed` (may be NULL) receives the size it wants, with the NUL; `buffer` may be NULL when `size` is 0. */
int rheed_text(unsigned long long stream, int which, char *buffer, int size, int *needed);

/* Takes the oldest waiting event of a stream: its kind (RHEED_EVENT_*), when it happened (Unix time, nanoseconds), its value and a line of text. */
int rheed_next_event(unsigned long long stream, int timeout_ms, int *kind, long long *time_ns, long long *value, char *buffer, int size, int *needed);

/* Sets one of 8 regions of a stream, rectangles whose brightness is measured in every frame, or moves it: `region` 0 to 7, `x` columns from the left and `y` rows from the top, `width` x `height` pixels of the frames as they are kept. `width` and `height` 0: there is no such region any more. */
int rheed_region_set(unsigned long long stream, int region, unsigned int x, unsigned int y, unsigned int width, unsigned int height);

/* Copies a region's readings, a frame each, oldest first: those newer than `*position`, at most `capacity`. `*position` is 0 at first and goes on with each call; it is all that a reader needs, so several may read. `*count` receives how many were written. */
int rheed_region_read(unsigned long long stream, int region, unsigned long long *position, long long *times_ns, unsigned long long *frame_ids, unsigned int *flags, double *means, int *maxima, long long *sums, int capacity, int *count, long long *missed);

/* For LabVIEW: rheed_init and rheed_labview_attach in one call, so that there is no moment in which an aborted VI would leave the stream behind. `instance` is given by LabVIEW: a parameter of type Instance Data Pointer. */
int rheed_labview_init(const char *options, unsigned long long *stream, char *message, int message_size, void **instance);

/* For LabVIEW: binds a stream (of rheed_init or rheed_resume) to the node that makes this call, whose callbacks then end it. `instance` is given by LabVIEW: a parameter of type Instance Data Pointer. */
int rheed_labview_attach(unsigned long long stream, void **instance);
