// The C++ coat: who owns the handle, what is thrown and what is not, and that no exception passes through the library.

#include "rheed_stream.h"

#include <cstdint>
#include <functional>

/* What happens between the pieces in which the coat reads a region, the next one's number given. */
static std::function<void(int)> before_piece;
static int pieces;

template <class... Arguments> static std::int32_t read_piece(Arguments... arguments) {
    if (before_piece) before_piece(++pieces);
    return rheed_region_read(arguments...);
}

#define rheed_region_read read_piece
#include "rheed_stream.hpp"
#undef rheed_region_read

#include "host.h"

#include <atomic>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

static_assert(!std::is_copy_constructible_v<rheed::Stream> && !std::is_copy_assignable_v<rheed::Stream>);
static_assert(std::is_nothrow_move_constructible_v<rheed::Stream> && std::is_nothrow_move_assignable_v<rheed::Stream>);
static_assert(noexcept(std::declval<rheed::Stream &>().push(rheed::Frame{})), "made for a camera's callback");

static_assert(!std::is_copy_constructible_v<rheed::Slot> && !std::is_copy_assignable_v<rheed::Slot>);
static_assert(std::is_nothrow_move_constructible_v<rheed::Slot> && std::is_nothrow_move_assignable_v<rheed::Slot>);
static_assert(noexcept(std::declval<rheed::Stream &>().acquire(1)) && noexcept(std::declval<rheed::Slot &>().commit({})),
              "made for a camera's callback");

static std::vector<unsigned char> pixels(FRAME_BYTES, 5);

static rheed::Frame frame(std::uint64_t id = RHEED_NO_FRAME_ID) {
    rheed::Frame frame{pixels.data(), pixels.size(), WIDTH, HEIGHT};
    frame.frame_id = id;
    return frame;
}

// The code of what a call throws; 0 if it throws nothing.
template <class Call> static std::int32_t thrown(Call &&call) {
    try {
        call();
    } catch (const rheed::Error &error) {
        CHECK(error.what()[0] != '\0');
        return error.code();
    }
    return RHEED_OK;
}

static void owning(const std::string &options) {
    rheed_stream handle = 0;
    {
        auto stream = rheed::Stream::open(options);
        handle = stream.handle();
        CHECK(stream && handle != 0);
        auto moved = std::move(stream);
        CHECK(!stream && moved.handle() == handle);
        CHECK_CODE(stream.push(frame()), RHEED_E_HANDLE); // Nothing is pushed into what was moved away.
        CHECK_CODE(moved.push(frame()), RHEED_OK);
        stream = std::move(moved);
        CHECK(stream.handle() == handle);
        stream = rheed::Stream::open(options); // Frees the former one.
        CHECK_CODE(rheed_free(handle), RHEED_E_HANDLE);
        handle = stream.handle();
    }
    CHECK_CODE(rheed_free(handle), RHEED_E_HANDLE);

    auto stream = rheed::Stream::open(options);
    handle = stream.release();
    CHECK(!stream);
    CHECK_CODE(rheed_free(handle), RHEED_OK);
}

// As many slots as there are, all of which are given back at the end of the call.
static std::size_t slots_of(rheed::Stream &stream, std::uint64_t size) {
    std::vector<rheed::Slot> slots;
    std::int32_t code = RHEED_OK;
    while (auto slot = stream.acquire(size, &code)) {
        slots.push_back(std::move(slot));
    }
    CHECK(code == RHEED_E_QUEUE_FULL);
    return slots.size();
}

static void lending(const std::string &options) {
    const std::uint64_t size = 256 << 10;
    auto stream = rheed::Stream::open(options + "queue_bytes = 1MiB\n");
    CHECK(slots_of(stream, size) == 4 && slots_of(stream, size) == 4);
    {
        auto slot = stream.acquire_or_throw(size);
        auto moved = std::move(slot);
        CHECK(!slot && moved && moved.size_bytes() == size);
        CHECK_CODE(slot.commit(frame()), RHEED_E_HANDLE);
        std::memset(moved.pixels(), 5, size);
        slot = stream.acquire(size);
        slot = std::move(moved); // Gives the former one back.
        CHECK(slots_of(stream, size) == 3);
        auto wrong = frame();
        wrong.width = 0;
        CHECK_CODE(slot.commit(wrong), RHEED_E_ARGUMENT);
        CHECK(slot && thrown([&] { slot.commit_or_throw(wrong); }) == RHEED_E_ARGUMENT);
        CHECK_CODE(slot.commit(frame()), RHEED_OK);
        const auto rejected = stream.stats()[RHEED_STAT_FRAMES_REJECTED];
        CHECK(!slot && slot.size_bytes() == 0);
        auto none = stream.acquire(4 * size + 1);
        for (auto *gone : {&slot, &moved, &none}) {
            CHECK_CODE(gone->commit(frame()), RHEED_E_HANDLE);
            CHECK_CODE(gone->discard(), RHEED_E_HANDLE);
        }
        CHECK(stream.stats()[RHEED_STAT_FRAMES_REJECTED] == rejected + 1); // By the acquire.
    }
    CHECK(stream.stats()[RHEED_STAT_FRAMES_ACCEPTED] == 1);
    CHECK(thrown([&] { (void)stream.acquire_or_throw(0); }) == RHEED_E_ARGUMENT);
    CHECK(!rheed::Stream().acquire(size) && thrown([&] { (void)rheed::Stream().acquire_or_throw(size); }) == RHEED_E_HANDLE);

    auto early = stream.acquire_or_throw(size), released = stream.acquire_or_throw(size);
    CHECK_CODE(early.discard(), RHEED_OK);
    CHECK_CODE(early.discard(), RHEED_E_HANDLE);
    void *const address = released.release();
    CHECK_CODE(rheed_discard(stream.handle(), address), RHEED_OK);

    auto late = stream.acquire_or_throw(size);
    const auto handle = stream.handle();
    void *const where = late.pixels();
    stream = rheed::Stream();
    std::memset(late.pixels(), 6, size);
    CHECK_CODE(late.commit(frame()), RHEED_E_HANDLE);
    late = rheed::Slot();
    CHECK_CODE(rheed_discard(handle, where), RHEED_E_HANDLE); // It has been given back.
}

static void throwing(const std::string &options) {
    CHECK(thrown([&] { rheed::Stream::open(options + "no_such_key = 1\n"); }) == RHEED_E_OPTION);
    try {
        rheed::Stream::open(options + "no_such_key = 1\n");
        CHECK(!"an unknown key was taken");
    } catch (const std::runtime_error &error) {
        CHECK(std::string(error.what()).find("no_such_key") != std::string::npos);
    }

    rheed::Stream none;
    CHECK(thrown([&] { none.push_or_throw(frame()); }) == RHEED_E_HANDLE);
    CHECK(thrown([&] { (void)none.stats(); }) == RHEED_E_HANDLE);
    CHECK(thrown([&] { (void)none.status(); }) == RHEED_E_HANDLE);
    CHECK(thrown([&] { (void)none.next_event(); }) == RHEED_E_HANDLE);
    CHECK(thrown([&] { none.finalize(); }) == RHEED_E_HANDLE);

    auto stream = rheed::Stream::open(options);
    auto short_of_a_byte = frame();
    short_of_a_byte.size_bytes--;
    CHECK_CODE(stream.push(short_of_a_byte), RHEED_E_ARGUMENT);
    try {
        stream.push_or_throw(short_of_a_byte);
        CHECK(!"a frame that is too short was taken");
    } catch (const rheed::Error &error) {
        CHECK(std::string(error.what()).find("size_bytes") != std::string::npos);
    }
}

static void looking(const std::string &options) {
    auto stream = rheed::Stream::open(options);
    while (stream.next_event()) {
    }
    stream.push_or_throw(frame(1));
    stream.push_or_throw(frame(10));
    const auto stats = stream.stats();
    CHECK(stats[RHEED_STAT_FRAMES_ACCEPTED] == 2);
    CHECK(stats[RHEED_STAT_STATE] == RHEED_STATE_SPOOLING);
    CHECK(stats[RHEED_STAT_LAST_CONFIRMED_AGE_MS] == -1);

    const auto event = stream.next_event(rheed::forever);
    CHECK(event && event->kind == RHEED_EVENT_FRAMES_MISSED && event->value == 8 && !event->text.empty());
    CHECK(std::chrono::abs(std::chrono::system_clock::now() - event->time) < std::chrono::hours(1));
    CHECK(!stream.next_event(std::chrono::milliseconds(20)));

    CHECK(stream.finalize() == rheed::Outcome::done);
    CHECK(stream.finalize(std::chrono::hours(24 * 365)) == rheed::Outcome::done); // Longer than 32 bits of milliseconds.
    CHECK(stream.flush(std::chrono::milliseconds(0)) == rheed::Outcome::done);
    CHECK(stream.data_id().empty());
    CHECK(!stream.status().empty() && stream.status().find('\0') == std::string::npos);
    CHECK(stream.report().front() == '{' && stream.report().back() == '}');
    CHECK(!stream.text(RHEED_TEXT_SPOOL_DIR).empty());
}

static void running(const std::string &options) {
    auto stream = rheed::Stream::open(options + "pace = off\n");
    stream.run([&](std::uint64_t index) {
        stream.push_or_throw(frame(index));
        return index + 1 < 30;
    });
    CHECK(stream.stats()[RHEED_STAT_FRAMES_ACCEPTED] == 30);

    // What a source throws comes out of run, after the run has ended in order: the frames before it are kept.
    auto second = rheed::Stream::open(options + "pace = off\n");
    struct Unplugged : std::runtime_error {
        using std::runtime_error::runtime_error;
    };
    bool caught = false;
    try {
        second.run([&](std::uint64_t index) -> bool {
            second.push_or_throw(frame(index));
            if (index == 11) {
                throw Unplugged("the camera was unplugged");
            }
            return true;
        });
    } catch (const Unplugged &error) {
        caught = std::string(error.what()) == "the camera was unplugged";
    }
    CHECK(caught);
    CHECK(second.stats()[RHEED_STAT_FRAMES_ACCEPTED] == 12);
    CHECK(second.finalize() == rheed::Outcome::done);

    // A callable that is neither copied nor moved, and answers a number as in C.
    struct Source {
        rheed::Stream &into;
        std::uint64_t calls = 0;
        Source(rheed::Stream &stream) : into(stream) {}
        Source(const Source &) = delete;
        std::int32_t operator()(std::uint64_t) {
            calls++;
            into.push_or_throw(frame());
            return calls < 3 ? 1 : -1;
        }
    };
    auto third = rheed::Stream::open(options + "pace = off\n");
    Source source{third};
    CHECK(thrown([&] { third.run(source); }) == RHEED_E_ABORTED);
    CHECK(source.calls == 3);
}

static void chunks(const std::string &options) {
    auto stream = rheed::Stream::open(options + "chunk_size = 20\n");
    const std::vector<unsigned char> frames(20 * FRAME_BYTES, 3);
    const rheed::Chunk chunk{frames.data(), frames.size(), 20, WIDTH, HEIGHT};
    stream.push_chunk(0, chunk);
    CHECK(thrown([&] { stream.push_chunk(0, chunk); }) == RHEED_E_ARGUMENT);
    CHECK(stream.finalize() == rheed::Outcome::done);
    CHECK(stream.stats()[RHEED_STAT_FRAMES_ACCEPTED] == 20);
}

// Some are incomplete.
static std::uint32_t flags_of(std::uint64_t id) { return id % 3 == 1 ? std::uint32_t{RHEED_FRAME_INCOMPLETE} : 0; }

static void watching(const std::string &options) {
    auto stream = rheed::Stream::open(options);
    std::uint64_t position = 0;
    std::int64_t missed = 77;
    CHECK(thrown([&] { (void)stream.read_region(2, position); }) == RHEED_E_ARGUMENT);
    stream.set_region(2, 1, 2, 10, 3);
    CHECK(stream.read_region(2, position).empty());
    for (std::uint64_t id = 0; id < 600; id++) { // More than are read at a time.
        auto one = frame(id);
        one.flags = flags_of(id);
        stream.push_or_throw(one);
    }
    stream.flush();
    const auto readings = stream.read_region(2, position, &missed);
    CHECK(readings.size() == 600 && position == 600 && missed == 0);
    for (std::uint64_t id = 0; id < 600; id++) {
        const auto &one = readings[id];
        CHECK(one.frame_id == id && one.mean == 5.0 && one.maximum == 5 && one.sum == 150 && one.time_ns > 0);
        CHECK(one.flags == flags_of(id));
    }
    CHECK(stream.read_region(2, position).empty() && position == 600);
    CHECK(thrown([&] { stream.set_region(8, 0, 0, 1, 1); }) == RHEED_E_ARGUMENT);
    CHECK(thrown([&] { stream.set_region(2, 0, 0, WIDTH + 1, 1); }) == RHEED_E_ARGUMENT);

    // Whatever fails between two pieces, no reading is lost.
    position = 0;
    missed = 77;
    before_piece = [](int piece) {
        if (piece == 2) throw std::bad_alloc();
    };
    bool has_thrown = false;
    try {
        (void)stream.read_region(2, position, &missed);
    } catch (const std::bad_alloc &) {
        has_thrown = true;
    }
    CHECK(has_thrown && position == 0 && missed == 77);
    pieces = 0;
    before_piece = [&](int piece) {
        if (piece == 2) stream.remove_region(2);
    };
    const auto former = stream.read_region(2, position, &missed);
    CHECK(former.size() == 256 && former.back().frame_id == 255 && position == 256 && missed == 0);
    before_piece = nullptr;
    CHECK(thrown([&] { (void)stream.read_region(2, position); }) == RHEED_E_ARGUMENT && position == 256);
    CHECK(thrown([&] { rheed::Stream().remove_region(2); }) == RHEED_E_HANDLE);
}

static void logging(const std::string &options) {
    std::atomic<int> calls{0};
    {
        const auto log = rheed::set_log(4, [&](std::int32_t level, std::string_view message) {
            CHECK(level >= 1 && level <= 4 && !message.empty());
            calls++;
            throw std::runtime_error("nobody catches this in the library");
        });
        auto stream = rheed::Stream::open(options);
        stream.push_or_throw(frame());
        CHECK(stream.finalize() == rheed::Outcome::done);
        while (calls == 0) std::this_thread::yield(); // Messages come in their own time.
    }
    const int told = calls;
    auto stream = rheed::Stream::open(options);
    CHECK(stream.finalize() == rheed::Outcome::done);
    CHECK(calls == told);
    CHECK(thrown([] { (void)rheed::set_log(9, [](std::int32_t, std::string_view) {}); }) == RHEED_E_ARGUMENT);
}

int main(int argc, char **argv) {
    const std::string options = options_of(argc, argv, "");
    owning(options);
    lending(options);
    throwing(options);
    looking(options);
    running(options);
    chunks(options);
    watching(options);
    logging(options);
    CHECK(!rheed::version().empty());
    (void)rheed::shutdown();
    return 0;
}
