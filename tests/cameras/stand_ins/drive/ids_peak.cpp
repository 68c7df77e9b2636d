/* Plays IDS peak to the fragment of its page. */
#include "drive.h"
#include "fragment.h"

namespace {

struct Filled : peak::core::Buffer {
    int at;
    explicit Filled(int number) : at(number) {}
    void *BasePtr() const override { return pixels8; }
    std::size_t Size() const override { return WIDTH * HEIGHT; }
    std::size_t Width() const override { return WIDTH; }
    std::size_t Height() const override { return HEIGHT; }
    std::uint64_t PixelFormat() const override {
        if (is_played("unreadable") && (at == 3 || at == 5)) throw peak::core::Exception("no pixel format");
        return is_played("packed") ? MONO12P : 0x01080001;
    }
    std::uint64_t FrameID() const override { return number_of(at); }
    std::uint64_t Timestamp_ns() const override {
        if (is_played("timeless")) throw peak::core::Exception("this transport layer does not tell the time");
        return ticks(1000000000);
    }
    bool IsIncomplete() const override { return at == DAMAGED; }
};

struct Source : peak::core::DataStream {
    std::atomic<bool> running{true};
    int at = 0, given_back = 0, timeouts = 0;
    std::shared_ptr<peak::core::Buffer> WaitForFinishedBuffer(peak::core::Timeout) override {
        if (at == 4 && timeouts++ == 0) throw peak::core::TimeoutException("no buffer in time");
        if (is_lost(at)) throw peak::core::Exception("the device is not there");
        if (is_played("stopped") && at == UNTIL_LOST) throw peak::core::AbortedException("by KillWait");
        draw8(number_of(at), WIDTH);
        const auto buffer = std::make_shared<Filled>(at++);
        running = at < FRAMES;
        return buffer;
    }
    void QueueBuffer(const std::shared_ptr<peak::core::Buffer> &) override {
        ++given_back;
        if (is_played("lost") && at == UNTIL_LOST) throw peak::core::Exception("the device is not there");
    }
};

} // namespace

int main(int argc, char **argv) {
    const rheed_stream stream = open_stream(argc, argv);
    Source source;
    grab(stream, source, source.running);
    return finish(stream, source.given_back);
}
