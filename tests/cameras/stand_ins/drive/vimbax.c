/* Plays Vimba X to the fragment of its page. */
#include "drive.h"
#include "fragment.h"

enum { BEHIND = 20 };

static int given_back;

VmbError_t VMB_CALL VmbCaptureFrameQueue(VmbHandle_t handle, const VmbFrame_t *frame, VmbFrameCallback callback) {
    (void)handle, (void)frame;
    return given_back += callback == on_frame, 0;
}

int main(int argc, char **argv) {
    rheed_stream stream = open_stream(argc, argv);
    VmbFrame_t frame = {0};
    frame.context[0] = &stream;
    for (int at = 0; at < FRAMES; at++) {
        draw8(number_of(at), WIDTH); /* Rows have no padding, and chunk data follows the picture. */
        frame.buffer = frame.imageData = pixels8, frame.bufferSize = sizeof pixels8;
        if (at == BEHIND) { /* Something else of 16 bytes, and then the picture, to the buffer's end or beyond it. */
            static uint8_t whole[16 + WIDTH * HEIGHT];
            memcpy(whole + 16, pixels8, WIDTH * HEIGHT);
            frame.buffer = whole, frame.imageData = whole + 16, frame.bufferSize = sizeof whole - (is_played("short") ? 1 : 0);
        }
        frame.receiveStatus = at == DAMAGED ? VmbFrameStatusIncomplete : VmbFrameStatusComplete;
        frame.receiveFlags = VmbFrameFlagsDimension | VmbFrameFlagsFrameID | VmbFrameFlagsTimestamp | VmbFrameFlagsImageData;
        frame.frameID = number_of(at), frame.timestamp = ticks(1000000000);
        frame.width = WIDTH, frame.height = HEIGHT, frame.pixelFormat = is_played("packed") ? MONO12P : 0x01080001;
        on_frame(NULL, NULL, &frame);
    }
    frame.receiveStatus = VmbFrameStatusInvalid, frame.receiveFlags = 0, frame.imageData = NULL;
    on_frame(NULL, NULL, &frame);
    return finish(stream, given_back - 1); /* Without the invalid one. */
}
