/* Preloaded: the program pushes the camera's own time, as aravis.md has it, and at the end it is told how that was mapped. */
#define _GNU_SOURCE
#include <arv.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <rheed_stream.h>
#include <stdio.h>

guint64 arv_buffer_get_system_timestamp(ArvBuffer *buffer) {
    guint64 (*sdks)(ArvBuffer *);
    *(void **)&sdks = dlsym(RTLD_NEXT, "arv_buffer_get_system_timestamp");
    return sdks(buffer) == 0 ? 0 : arv_buffer_get_timestamp(buffer); /* 0: a frame without its leader. */
}

int32_t rheed_finalize(rheed_stream stream, int32_t timeout_ms) {
    int64_t stats[RHEED_STAT_CAMERA_CLOCK_BOUND_NS + 1] = {0};
    int32_t (*librarys)(rheed_stream, int32_t);
    *(void **)&librarys = dlsym(RTLD_NEXT, "rheed_finalize");
    rheed_stats(stream, stats, RHEED_STAT_CAMERA_CLOCK_BOUND_NS + 1, NULL);
    if (stats[RHEED_STAT_CAMERA_CLOCK_BOUND_NS] >= 0) {
        const int64_t off_ns = stats[RHEED_STAT_CAMERA_CLOCK_OFFSET_NS];
        printf("clock: %" PRId64 " off by, %" PRId64 " the bound\n", off_ns < 0 ? -off_ns : off_ns,
               stats[RHEED_STAT_CAMERA_CLOCK_BOUND_NS]);
    }
    return librarys(stream, timeout_ms);
}
