/* Preloaded: tells each push's number and flags. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <inttypes.h>
#include <rheed_stream.h>
#include <stdio.h>

int32_t rheed_push(rheed_stream stream, const void *pixels, uint64_t size_bytes, uint32_t width, uint32_t height,
                   uint32_t stride_bytes, uint32_t pixel_format, uint64_t frame_id, int64_t timestamp_ns, uint32_t flags)
{
    int32_t (*librarys)(rheed_stream, const void *, uint64_t, uint32_t, uint32_t, uint32_t, uint32_t, uint64_t, int64_t, uint32_t);
    *(void **)&librarys = dlsym(RTLD_NEXT, "rheed_push");
    fprintf(stderr, "%s %" PRIu64 "\n", flags & RHEED_FRAME_INCOMPLETE ? "incomplete" : "whole", frame_id);
    return librarys(stream, pixels, size_bytes, width, height, stride_bytes, pixel_format, frame_id, timestamp_ns, flags);
}
