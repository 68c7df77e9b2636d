/*
 * Writes down every frame that the demonstration's program pushes, so that what arrived can be compared with it.
 *
 * Linked with `-Wl,--wrap=rheed_push`: the program's calls come here, and go on to the library from here.
 */
#include "rheed_stream.h"

#include <stdio.h>
#include <stdlib.h>

int32_t __real_rheed_push(rheed_stream stream, const void *pixels, uint64_t size_bytes, uint32_t width, uint32_t height,
                          uint32_t stride_bytes, uint32_t pixel_format, uint64_t frame_id, int64_t timestamp_ns, uint32_t flags);

/* Called on the camera's thread alone. */
int32_t __wrap_rheed_push(rheed_stream stream, const void *pixels, uint64_t size_bytes, uint32_t width, uint32_t height,
                          uint32_t stride_bytes, uint32_t pixel_format, uint64_t frame_id, int64_t timestamp_ns, uint32_t flags) {
    static FILE *witness = NULL;
    int32_t taken;
    if (witness == NULL) {
        const char *path = getenv("RHEED_WITNESS");
        witness = path != NULL ? fopen(path, "wb") : NULL;
        if (witness == NULL) {
            fprintf(stderr, "RHEED_WITNESS names no file that can be written\n");
            exit(1);
        }
    }
    taken = __real_rheed_push(stream, pixels, size_bytes, width, height, stride_bytes, pixel_format, frame_id, timestamp_ns,
                              flags);
    if (taken == RHEED_OK) fwrite(pixels, 1, (size_t)size_bytes, witness);
    return taken;
}
