/* Plays pylon's C++ API to the fragment of its page. */
#include "drive.h"
#include "fragment.h"

namespace {

/* The last one is that of a grab that was cancelled. */
struct Result : Pylon::CGrabResultData {
    int at = 0;
    bool has_picture() const { return at < FRAMES; }
    bool GrabSucceeded() const override { return has_picture() && at != DAMAGED; }
    Pylon::EPixelType GetPixelType() const override {
        if (!has_picture()) return Pylon::PixelType_Undefined;
        return is_played("packed") ? Pylon::PixelType_Mono12p : Pylon::PixelType_Mono8;
    }
    uint32_t GetWidth() const override { return has_picture() ? WIDTH : 0; }
    uint32_t GetHeight() const override { return has_picture() ? HEIGHT : 0; }
    bool GetStride(size_t &stride_bytes) const override {
        // 17 times 12 bits are no whole number of bytes. pylon 12.4 answers so.
        if (is_played("packed") || !has_picture()) return stride_bytes = 0, false;
        return stride_bytes = WIDTH + PADDING, true;
    }
    void *GetBuffer() const override { return pixels8; }
    size_t GetPayloadSize() const override { return at == DAMAGED ? 17u : sizeof pixels8; }
    size_t GetBufferSize() const override { return sizeof pixels8; }
    uint64_t GetBlockID() const override { return has_picture() ? number_of(at) : UINT64_MAX; }
    uint64_t GetTimeStamp() const override { return has_picture() ? ticks(1000000000) : 0; }
};

} // namespace

int main(int argc, char **argv) {
    const rheed_stream stream = open_stream(argc, argv);
    Pusher pusher(stream);
    Pylon::CInstantCamera camera;
    Result result;
    for (; result.at <= FRAMES; ++result.at) {
        if (result.has_picture()) draw8(number_of(result.at), WIDTH + PADDING);
        static_cast<Pylon::CImageEventHandler &>(pusher).OnImageGrabbed(camera, Pylon::CGrabResultPtr(&result));
    }
    return finish(stream, NONE_TO_GIVE_BACK); // The smart pointer does.
}
