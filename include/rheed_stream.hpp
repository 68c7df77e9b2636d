/*
 * rheed-stream for C++17: a thin coat over rheed_stream.h, header only.
 *
 *     auto stream = rheed::Stream::open("fps = 60\nspool_dir = D:/rheed\n");
 *     camera.on_frame([&](const Picture &picture) {
 *         stream.push({picture.data, picture.size, picture.width, picture.height});   // a code, never an exception
 *     });
 *     ...
 *     stream.finalize();
 *
 * What the coat adds: ownership (a Stream frees its handle), exceptions where nobody is in a hurry, std::string for texts,
 * std::chrono for time-outs, any callable for functions. What each call does, and from which threads, is said in
 * rheed_stream.h; as there, any member may be called from any thread, only moving and destroying want the object to
 * oneself.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#ifndef RHEED_STREAM_HPP
#define RHEED_STREAM_HPP

#include "rheed_stream.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace rheed {

/** A failure: the library's code, and as what() a sentence that says what was wrong. */
class Error : public std::runtime_error {
public:
    Error(std::int32_t code, const std::string &sentence) : std::runtime_error(sentence), code_(code) {}

    /** One of RHEED_E_*. */
    std::int32_t code() const noexcept { return code_; }

private:
    std::int32_t code_;
};

/** How a call that may run out of time ended, when it did not fail. */
enum class Outcome : std::int32_t {
    /** All is done. */
    done = RHEED_OK,
    /** Out of time: the rest goes on in the background, nothing is lost. Calling again waits again. */
    pending = RHEED_W_PENDING,
    /** Done, but frames were lost or set aside: the report says how many and why. */
    loss = RHEED_W_LOSS,
};

/** A time-out that never comes. Zero means: look and return. */
inline constexpr std::chrono::milliseconds forever{-1};

/** One frame as a camera's SDK hands it over. What has a default may stay unsaid. */
struct Frame {
    const void *pixels = nullptr;
    std::uint64_t size_bytes = 0;
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    /** From one row to the next; 0 = rows without padding. */
    std::uint32_t stride_bytes = 0;
    /** RHEED_FORMAT_*, a PFNC code. */
    std::uint32_t pixel_format = RHEED_FORMAT_MONO8;
    std::uint64_t frame_id = RHEED_NO_FRAME_ID;
    /** Unix time of capture in nanoseconds; 0 = now. */
    std::int64_t timestamp_ns = 0;
    /** 0 or RHEED_FRAME_INCOMPLETE. */
    std::uint32_t flags = 0;
};

/** A whole chunk: `count` frames, one after another without padding. */
struct Chunk {
    const void *frames = nullptr;
    std::uint64_t size_bytes = 0;
    std::uint32_t count = 0;
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    /** RHEED_FORMAT_*, a PFNC code. */
    std::uint32_t pixel_format = RHEED_FORMAT_MONO8;
    /** Unix time of the first frame in nanoseconds; 0 = the chunk has just ended. */
    std::int64_t start_ns = 0;
};

/** Something that happened to a stream. */
struct Event {
    /** RHEED_EVENT_*, which says what `value` is. */
    std::int32_t kind = RHEED_EVENT_NONE;
    std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds> time;
    std::int64_t value = 0;
    std::string text;
};

/** One snapshot of a stream's statistics: stats[RHEED_STAT_FRAMES_PENDING]. What the library does not know is -1. */
class Stats {
public:
    std::int64_t operator[](rheed_stat which) const noexcept { return values_[static_cast<std::size_t>(which)]; }

private:
    friend class Stream;
    std::array<std::int64_t, RHEED_STAT_CAMERA_CLOCK_BOUND_NS + 1> values_{};
};

/** How bright a region was in one frame. Where the region does not lie in the frame: the mean is NaN, maximum and sum are -1. */
struct Reading {
    /** When the frame was captured, Unix time in nanoseconds. */
    std::int64_t time_ns = 0;
    std::uint64_t frame_id = RHEED_NO_FRAME_ID;
    /** 0 or RHEED_FRAME_INCOMPLETE: the frame was measured as it came. */
    std::uint32_t flags = 0;
    double mean = 0.0;
    std::int32_t maximum = 0;
    std::int64_t sum = 0;
};

namespace detail {

/** The interface takes milliseconds in 32 bits: what is longer than 24 days is never, what is negative too. */
inline std::int32_t timeout_ms(std::chrono::milliseconds timeout) noexcept {
    const bool ends = timeout.count() >= 0 && timeout.count() <= (std::numeric_limits<std::int32_t>::max)();
    return ends ? static_cast<std::int32_t>(timeout.count()) : -1;
}

/** A text of a handle; texts may grow between two looks, so it is asked for until it fits. */
inline std::int32_t text(rheed_stream handle, std::int32_t which, std::string &text) {
    std::int32_t needed = 1024;
    for (;;) {
        text.resize(static_cast<std::size_t>(needed));
        const std::int32_t code = rheed_text(handle, which, text.data(), needed, &needed);
        const bool fits = static_cast<std::size_t>(needed) <= text.size();
        if (RHEED_FAILED(code) || fits) {
            text.resize(RHEED_FAILED(code) ? 0 : static_cast<std::size_t>(needed) - 1);
            return code;
        }
    }
}

[[noreturn]] inline void fail(rheed_stream handle, std::int32_t code) {
    std::string sentence;
    if (RHEED_FAILED(text(handle, RHEED_TEXT_LAST_ERROR, sentence)) || sentence.empty()) {
        sentence = rheed_strerror(code);
    }
    throw Error(code, sentence);
}

inline std::int32_t check(rheed_stream handle, std::int32_t code) {
    if (RHEED_FAILED(code)) {
        fail(handle, code);
    }
    return code;
}

/** Calls a C++ source for rheed_run. No exception may pass through the library: it is kept, and ends the run. */
template <class Source> struct Run {
    Source &source;
    std::exception_ptr thrown;

    static std::int32_t RHEED_CALL call(void *user, rheed_stream, std::uint64_t index) noexcept {
        auto &run = *static_cast<Run *>(user);
        try {
            return static_cast<std::int32_t>(run.source(index));
        } catch (...) {
            run.thrown = std::current_exception();
            return 0;
        }
    }
};

} // namespace detail

/**
 * Memory of a stream's that a camera writes a frame into (Stream::acquire), and that commit() takes without a copy. Owns it:
 * movable, not copyable, given back when it is destroyed without a commit. It may outlive its Stream, which then takes no frame.
 */
class Slot {
public:
    /** No slot, as one is after it was moved from, committed, discarded or released: every call answers RHEED_E_HANDLE. */
    Slot() noexcept = default;

    Slot(Slot &&other) noexcept { swap(other); }

    Slot &operator=(Slot &&other) noexcept {
        Slot(std::move(other)).swap(*this);
        return *this;
    }

    ~Slot() {
        if (pixels_ != nullptr) {
            discard();
        }
    }

    explicit operator bool() const noexcept { return pixels_ != nullptr; }

    /** Where the camera writes, on a cache line. */
    void *pixels() const noexcept { return pixels_; }

    /** How many bytes, as they were asked for. */
    std::uint64_t size_bytes() const noexcept { return size_bytes_; }

    /**
     * The stream takes what was written: RHEED_OK, and this is no slot any more; or a negative code, and it is the same as
     * before (but see rheed_commit for the end of a stream). Of `frame` all but pixels and size_bytes counts. Never waits or
     * copies: made for a camera's callback.
     */
    std::int32_t commit(const Frame &frame) noexcept {
        const std::int32_t code = rheed_commit(handle_, pixels_, frame.width, frame.height, frame.stride_bytes,
                                               frame.pixel_format, frame.frame_id, frame.timestamp_ns, frame.flags);
        if (code == RHEED_OK) {
            release();
        }
        return code;
    }

    /** The same where nobody is in a hurry: throws Error when the frame was not taken. */
    void commit_or_throw(const Frame &frame) { detail::check(handle_, commit(frame)); }

    /** Gives the slot back before its end. */
    std::int32_t discard() noexcept {
        const rheed_stream handle = handle_;
        return rheed_discard(handle, release());
    }

    /** Lets go of the slot: the caller commits or discards it, on the stream's handle. */
    void *release() noexcept {
        handle_ = 0;
        size_bytes_ = 0;
        return std::exchange(pixels_, nullptr);
    }

private:
    friend class Stream;

    Slot(rheed_stream handle, void *pixels, std::uint64_t size_bytes) noexcept
        : handle_(handle), pixels_(pixels), size_bytes_(size_bytes) {}

    void swap(Slot &other) noexcept {
        std::swap(handle_, other.handle_);
        std::swap(pixels_, other.pixels_);
        std::swap(size_bytes_, other.size_bytes_);
    }

    rheed_stream handle_ = 0;
    void *pixels_ = nullptr;
    std::uint64_t size_bytes_ = 0;
};

/** A stream of frames, or after resume() a spool that is being sent. Owns its handle: movable, not copyable. */
class Stream {
public:
    /** No stream: every call on it answers RHEED_E_HANDLE. */
    Stream() noexcept = default;

    /**
     * Opens a stream (rheed_init). Throws Error, with the sentence that names the option or what the service said. A network
     * that is down is no failure: `remark`, when given, receives what there is to say about it.
     */
    static Stream open(const std::string &options, std::string *remark = nullptr) {
        return opened(rheed_init, options, remark);
    }

    /** Takes up what earlier processes left in a spool (rheed_resume). */
    static Stream resume(const std::string &options, std::string *remark = nullptr) {
        return opened(rheed_resume, options, remark);
    }

    Stream(Stream &&other) noexcept : handle_(other.release()) {}

    Stream &operator=(Stream &&other) noexcept {
        if (this != &other) {
            reset(other.release());
        }
        return *this;
    }

    /** Frees the handle. A stream that was not finalized is closed, and its uploads go on in the background. */
    ~Stream() { reset(0); }

    explicit operator bool() const noexcept { return handle_ != 0; }

    /** The handle, for calls of rheed_stream.h; still owned by this object. */
    rheed_stream handle() const noexcept { return handle_; }

    /** Lets go of the handle: the caller frees it. */
    rheed_stream release() noexcept { return std::exchange(handle_, 0); }

    /**
     * Gives one frame to the stream: RHEED_OK or a negative code. Copies and never waits, allocates and throws nothing: made
     * for a camera's callback. Frames that found no room are counted, so a callback may well ignore the code.
     */
    std::int32_t push(const Frame &frame) noexcept {
        return rheed_push(handle_, frame.pixels, frame.size_bytes, frame.width, frame.height, frame.stride_bytes,
                          frame.pixel_format, frame.frame_id, frame.timestamp_ns, frame.flags);
    }

    /** The same where nobody is in a hurry: throws Error when the frame was not taken. */
    void push_or_throw(const Frame &frame) { detail::check(handle_, push(frame)); }

    /**
     * Zero copy: a slot of so many bytes for a camera to write into. No slot when there is none; `code`, when given, receives why
     * (RHEED_E_QUEUE_FULL as a rule, which is counted). Never waits and throws nothing.
     */
    Slot acquire(std::uint64_t size_bytes, std::int32_t *code = nullptr) noexcept {
        void *pixels = nullptr;
        const std::int32_t answer = rheed_acquire(handle_, size_bytes, &pixels);
        if (code != nullptr) {
            *code = answer;
        }
        return answer == RHEED_OK ? Slot(handle_, pixels, size_bytes) : Slot();
    }

    /** The same where nobody is in a hurry: throws Error when there is no slot. */
    Slot acquire_or_throw(std::uint64_t size_bytes) {
        std::int32_t code = RHEED_OK;
        Slot slot = acquire(size_bytes, &code);
        detail::check(handle_, code);
        return slot;
    }

    /** Gives a whole chunk to the stream under an index of the caller's; waits for the disk. Throws Error. */
    void push_chunk(std::uint64_t chunk_index, const Chunk &chunk) {
        detail::check(handle_, rheed_push_chunk(handle_, chunk_index, chunk.frames, chunk.size_bytes, chunk.count, chunk.width,
                                                chunk.height, chunk.pixel_format, chunk.start_ns));
    }

    /**
     * Calls `source(index)` once a frame time until it returns false or 0 (negative: abort the stream); it pushes its frame
     * itself. What it throws ends the run like false, and is thrown on from here; the frames pushed before are kept.
     */
    template <class Source> void run(Source &&source) {
        static_assert(std::is_invocable_r_v<std::int32_t, Source &, std::uint64_t>,
                      "a source takes the frame's number and answers whether to go on");
        using Run = detail::Run<std::remove_reference_t<Source>>;
        Run run{source, nullptr};
        const std::int32_t code = rheed_run(handle_, &Run::call, &run);
        if (run.thrown) {
            std::rethrow_exception(run.thrown);
        }
        detail::check(handle_, code);
    }

    /** Waits until the closed chunks' frames are confirmed. Throws Error. */
    Outcome flush(std::chrono::milliseconds timeout = forever) {
        return Outcome{detail::check(handle_, rheed_flush(handle_, detail::timeout_ms(timeout)))};
    }

    /** Closes the last chunk, uploads what is left and ends the stream. Throws Error. */
    Outcome finalize(std::chrono::milliseconds timeout = forever) {
        return Outcome{detail::check(handle_, rheed_finalize(handle_, detail::timeout_ms(timeout)))};
    }

    /** Stops at once; the spool is kept. Whoever waits on this stream gets RHEED_E_ABORTED. */
    std::int32_t abort() noexcept { return rheed_abort(handle_); }

    /** One snapshot, in which accepted = confirmed + lost + pending. Throws Error. */
    Stats stats() const {
        Stats stats;
        stats.values_.fill(-1);
        detail::check(handle_, rheed_stats(handle_, stats.values_.data(), static_cast<std::int32_t>(stats.values_.size()),
                                           nullptr));
        return stats;
    }

    /** A text of the stream, UTF-8. Throws Error. */
    std::string text(rheed_text_kind which) const {
        std::string text;
        detail::check(handle_, detail::text(handle_, which, text));
        return text;
    }

    /** The service's id of the stream; "" until it is created. */
    std::string data_id() const { return text(RHEED_TEXT_DATA_ID); }
    /** One line for a person. */
    std::string status() const { return text(RHEED_TEXT_STATUS); }
    /** JSON: every count, losses grouped by reason. */
    std::string report() const { return text(RHEED_TEXT_REPORT); }

    /** Takes the oldest waiting event; none within `timeout`: no value. Throws Error. */
    std::optional<Event> next_event(std::chrono::milliseconds timeout = std::chrono::milliseconds::zero()) {
        Event event;
        std::int64_t time_ns = 0;
        std::array<char, 1024> text; // Every event's text fits.
        detail::check(handle_, rheed_next_event(handle_, detail::timeout_ms(timeout), &event.kind, &time_ns, &event.value,
                                                text.data(), static_cast<std::int32_t>(text.size()), nullptr));
        if (event.kind == RHEED_EVENT_NONE) {
            return std::nullopt;
        }
        event.time = decltype(event.time){std::chrono::nanoseconds{time_ns}};
        event.text = text.data();
        return event;
    }

    /** Sets region 0 to 7, in pixels of the frames as they are kept, or moves it. Throws Error. */
    void set_region(std::int32_t region, std::uint32_t x, std::uint32_t y, std::uint32_t width, std::uint32_t height) {
        detail::check(handle_, rheed_region_set(handle_, region, x, y, width, height));
    }

    /** There is no such region any more. Throws Error. */
    void remove_region(std::int32_t region) { set_region(region, 0, 0, 0, 0); }

    /**
     * All readings of a region newer than `position`, oldest first; position is 0 at first and goes on with each call. `missed`, when
     * given, receives how many were overwritten before. Throws Error, or std::bad_alloc: position is as before then, and no reading is
     * lost. What fails with readings in hand, since the region is moved or removed meanwhile, is told by the next call.
     */
    std::vector<Reading> read_region(std::int32_t region, std::uint64_t &position, std::int64_t *missed = nullptr) {
        constexpr std::int32_t piece = 256;
        std::array<std::int64_t, piece> times;
        std::array<std::uint64_t, piece> ids;
        std::array<std::uint32_t, piece> flags;
        std::array<double, piece> means;
        std::array<std::int32_t, piece> maxima;
        std::array<std::int64_t, piece> sums;
        std::vector<Reading> readings;
        std::uint64_t read_up_to = position;
        std::int64_t missed_in_all = 0;
        for (std::int32_t count = piece; count == piece;) {
            std::int64_t missed_now = 0;
            const std::int32_t code =
                rheed_region_read(handle_, region, &read_up_to, times.data(), ids.data(), flags.data(), means.data(),
                                  maxima.data(), sums.data(), piece, &count, &missed_now);
            if (readings.empty()) {
                detail::check(handle_, code);
            }
            for (std::size_t at = 0; at < static_cast<std::size_t>(count); at++) {
                readings.push_back({times[at], ids[at], flags[at], means[at], maxima[at], sums[at]});
            }
            missed_in_all += missed_now;
        }
        if (missed != nullptr) {
            *missed = missed_in_all;
        }
        position = read_up_to;
        return readings;
    }

private:
    using Opener = std::int32_t(RHEED_CALL *)(const char *, rheed_stream *, char *, std::int32_t);

    static Stream opened(Opener open, const std::string &options, std::string *remark) {
        if (rheed_abi() != RHEED_ABI) {
            throw Error(RHEED_E_INTERNAL, "built for interface " + std::to_string(RHEED_ABI) + ", but the library that was "
                                          "loaded (" + rheed_version() + ") has " + std::to_string(rheed_abi()));
        }
        Stream stream;
        std::array<char, 1024> message{};
        const std::int32_t code =
            open(options.c_str(), &stream.handle_, message.data(), static_cast<std::int32_t>(message.size()));
        if (RHEED_FAILED(code)) {
            throw Error(code, message.front() != '\0' ? message.data() : rheed_strerror(code));
        }
        if (remark != nullptr) {
            *remark = message.data();
        }
        return stream;
    }

    void reset(rheed_stream handle) noexcept {
        const rheed_stream former = std::exchange(handle_, handle);
        if (former != 0) {
            rheed_free(former);
        }
    }

    rheed_stream handle_ = 0;
};

/**
 * Sends the log messages of all streams to a function for as long as this object lives; then they go to stderr again. One at
 * a time: a second one takes over. The function is called on a library thread, one call at a time, and must not destroy
 * this object; what it throws is dropped.
 */
class [[nodiscard]] Log {
public:
    /** Level 1 error, 2 warning or milestone, 3 each chunk, 4 each frame and request; the text is valid during the call. */
    using Function = std::function<void(std::int32_t level, std::string_view message)>;

    /** `verbosity`: the highest level that is sent, 0 to 4. Throws Error. */
    Log(std::int32_t verbosity, Function function) : function_(std::make_unique<Function>(std::move(function))) {
        const std::int32_t code = rheed_set_log(&Log::call, function_.get(), verbosity);
        if (RHEED_FAILED(code)) {
            throw Error(code, rheed_strerror(code));
        }
    }

    Log(Log &&other) noexcept = default;
    Log &operator=(Log &&) = delete;

    ~Log() {
        if (function_) {
            rheed_set_log(nullptr, nullptr, 0);
        }
    }

private:
    static void RHEED_CALL call(void *user, std::int32_t level, const char *message) noexcept {
        try {
            (*static_cast<Function *>(user))(level, message);
        } catch (...) { // Nothing may pass through the library, and there is nobody to tell.
        }
    }

    std::unique_ptr<Function> function_;
};

/** Sends the log messages of all streams to a function, for as long as the answer is kept. Throws Error. */
[[nodiscard]] inline Log set_log(std::int32_t verbosity, Log::Function function) {
    return Log(verbosity, std::move(function));
}

/** Aborts every stream and ends every thread of the library: before a plug-in is unloaded. Throws Error. */
inline Outcome shutdown(std::chrono::milliseconds timeout = forever) {
    return Outcome{detail::check(0, rheed_shutdown(detail::timeout_ms(timeout)))};
}

/** The library's version, e.g. "1.2.3". */
inline std::string version() { return rheed_version(); }

} // namespace rheed

#endif /* RHEED_STREAM_HPP */
