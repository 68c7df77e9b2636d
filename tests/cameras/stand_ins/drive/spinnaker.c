/* Plays Spinnaker's C API to the fragment of its page. */
#include "drive.h"
#include "fragment.h"

static int at = -1, given_back, running = 1, timeouts;

spinError spinCameraGetNextImageEx(spinCamera camera, uint64_t timeout_ms, spinImage *image) {
    (void)camera, (void)timeout_ms;
    if (at == 3 && timeouts++ == 0) return SPINNAKER_ERR_TIMEOUT;
    if (is_lost(at + 1)) return SPINNAKER_ERR_IO;
    running = ++at < FRAMES - 1;
    draw8(number_of(at), WIDTH + PADDING);
    return *image = &at, SPINNAKER_ERR_SUCCESS;
}

spinError spinImageRelease(spinImage image) { return (void)image, given_back++, SPINNAKER_ERR_SUCCESS; }
spinError spinImageGetData(spinImage image, void **data) { return (void)image, *data = pixels8, SPINNAKER_ERR_SUCCESS; }
spinError spinImageGetBufferSize(spinImage image, size_t *size) { return (void)image, *size = sizeof pixels8, SPINNAKER_ERR_SUCCESS; }
spinError spinImageGetWidth(spinImage image, size_t *width) { return (void)image, *width = WIDTH, SPINNAKER_ERR_SUCCESS; }
spinError spinImageGetHeight(spinImage image, size_t *height) { return (void)image, *height = HEIGHT, SPINNAKER_ERR_SUCCESS; }
spinError spinImageGetStride(spinImage image, size_t *stride_bytes) {
    return (void)image, *stride_bytes = WIDTH + PADDING, SPINNAKER_ERR_SUCCESS;
}
spinError spinImageGetTLPixelFormat(spinImage image, uint64_t *format) {
    return (void)image, *format = 0x01080001, SPINNAKER_ERR_SUCCESS;
}
spinError spinImageGetFrameID(spinImage image, uint64_t *id) { return (void)image, *id = number_of(at), SPINNAKER_ERR_SUCCESS; }
spinError spinImageGetTimeStamp(spinImage image, uint64_t *time) {
    return (void)image, *time = ticks(1000000000), SPINNAKER_ERR_SUCCESS;
}
spinError spinImageIsIncomplete(spinImage image, bool8_t *is_incomplete) {
    return (void)image, *is_incomplete = at == DAMAGED, SPINNAKER_ERR_SUCCESS;
}

int main(int argc, char **argv) {
    const rheed_stream stream = open_stream(argc, argv);
    grab(stream, NULL, &running);
    return finish(stream, given_back);
}
