/* Plays pylon's C++ API to the fragment of its page. */
#include "drive.h"
#include "fragment.h"

namespace {

struct Result : Pylon::CGrabResultData {
    int at = 0;
    bool GrabSucceeded() const override { return at != DAMAGED; }
    Pylon::EPixelType GetPixelType() const override { return is_played("packed") ? Pylon::PixelType_Mono12p : Pylon::PixelType_Mono8; }
    uint32_t GetWidth() const override { return WIDTH; }
    uint32_t GetHeight() const override { return HEIGHT; }
    bool GetStride(size_t &stride_bytes) const override {
        if (is_played("packed")) return false; // 17 times 12 bits are no whole number of bytes.
        return stride_bytes = WIDTH + PADDING, true;
    }
    void *GetBuffer() const override { return pixels8; }
    size_t GetPayloadSize() const override { return at == DAMAGED ? 17u : sizeof pixels8; }
    size_t GetBufferSize() const override { return sizeof pixels8; }
    uint64_t GetBlockID() const override { return numbers[at]; }
    uint64_t GetTimeStamp() const override { return 1000000000u + 10000000u * numbers[at]; }
};

} // namespace

int main(int argc, char **argv) {
    const rheed_stream stream = open_stream(argc, argv);
    Pusher pusher(stream);
    Pylon::CInstantCamera camera;
    Result result;
    for (; result.at < FRAMES; ++result.at) {
        draw8(numbers[result.at], WIDTH + PADDING);
        static_cast<Pylon::CImageEventHandler &>(pusher).OnImageGrabbed(camera, Pylon::CGrabResultPtr(&result));
    }
    return finish(stream, FRAMES); // The smart pointer does.
}
