/*
 * Frames from a raw file, at their pace, without loading the file: pull mode (rheed_run).
 *
 *     replay_raw FILE WIDTH HEIGHT BITS FPS [key=value ...]
 *
 * FILE holds frames of WIDTH x HEIGHT pixels one after another, of 8 bits or of 16 bits little-endian (BITS). Each key=value
 * becomes a line of the stream's options (docs/options.md); pace=off replays as fast as it goes. Ends with 0 when every
 * frame was confirmed, or is in the spool with endpoint=none.
 */
#define _POSIX_C_SOURCE 200809L
#include "rheed_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef _WIN32
#include <windows.h>

#include <psapi.h>
#endif

typedef struct {
    FILE *file;
    unsigned char *frame; /* The one frame that is in memory. */
    size_t frame_bytes;
    uint32_t width, height, pixel_format;
    int64_t last_push_ns; /* Unix time, as the events have it. */
    int failed;
} recording;

static int64_t unix_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The memory that this program had at most. Linux's getrusage would also count what its parent had when it started this one. */
static double peak_memory_mb(void) {
#ifdef _WIN32
    PROCESS_MEMORY_COUNTERS memory = {0};
    GetProcessMemoryInfo(GetCurrentProcess(), &memory, sizeof memory);
    return (double)memory.PeakWorkingSetSize * 1e-6;
#else
    char line[256];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL && sscanf(line, "VmHWM: %ld", &kib) != 1) continue;
    if (status != NULL) fclose(status);
    return (double)kib * 1024e-6;
#endif
}

/* Gives the next frame: 1 go on, 0 the end, negative something is wrong. rheed_push waits for room inside rheed_run. */
static int32_t RHEED_CALL next_frame(void *user, rheed_stream stream, uint64_t index) {
    recording *from = (recording *)user;
    const size_t got = fread(from->frame, 1, from->frame_bytes, from->file);
    if (got < from->frame_bytes) {
        from->failed = ferror(from->file) != 0;
        if (got != 0) fprintf(stderr, "the file ends within a frame: its last %lu bytes are left out\n", (unsigned long)got);
        return 0;
    }
    const int32_t code = rheed_push(stream, from->frame, from->frame_bytes, from->width, from->height, 0, from->pixel_format,
                                    index, 0, 0);
    from->last_push_ns = unix_now_ns();
    return RHEED_FAILED(code) ? code : 1;
}

/* When the service confirmed the last chunk, by the events that wait; 0 if it confirmed none. */
static int64_t last_confirmation_ns(rheed_stream stream) {
    int64_t last_ns = 0, time_ns = 0;
    int32_t kind = RHEED_EVENT_NONE;
    char text[1024];
    while (rheed_next_event(stream, 0, &kind, &time_ns, NULL, text, sizeof text, NULL) >= 0 && kind != RHEED_EVENT_NONE) {
        if (kind == RHEED_EVENT_CHUNK_CONFIRMED && time_ns > last_ns) last_ns = time_ns;
        else if (kind != RHEED_EVENT_CHUNK_CONFIRMED) printf("event: %s\n", text);
    }
    return last_ns;
}

static int replay(recording *from, const char *options) {
    rheed_stream stream = 0;
    char text[1024];
    if (RHEED_FAILED(rheed_init(options, &stream, text, sizeof text))) {
        fprintf(stderr, "the stream does not open: %s\n", text);
        return 1;
    }
    if (text[0] != '\0') printf("%s\n", text);

    const int32_t run = rheed_run(stream, next_frame, from);
    if (RHEED_FAILED(run)) {
        rheed_text(stream, RHEED_TEXT_LAST_ERROR, text, sizeof text, NULL);
        fprintf(stderr, "the replay ended early: %s\n", text);
    }
    const int32_t ended = rheed_finalize(stream, -1);

    int64_t stats[RHEED_STAT_FPS_MILLI + 1] = {0};
    rheed_stats(stream, stats, RHEED_STAT_FPS_MILLI + 1, NULL);
    const int64_t confirmed_ns = last_confirmation_ns(stream);
    rheed_free(stream);

    printf("%s\n", rheed_strerror(ended));
    printf("frames: %lld taken, %lld confirmed, %lld lost\n", (long long)stats[RHEED_STAT_FRAMES_ACCEPTED],
           (long long)stats[RHEED_STAT_FRAMES_CONFIRMED], (long long)stats[RHEED_STAT_FRAMES_LOST]);
    printf("bytes: %lld raw, %lld in shards\n", (long long)stats[RHEED_STAT_BYTES_RAW],
           (long long)stats[RHEED_STAT_BYTES_SHARDS]);
    if (confirmed_ns != 0) {
        printf("last push to last confirmation: %.1f ms\n", (double)(confirmed_ns - from->last_push_ns) * 1e-6);
    }
    printf("peak memory: %.1f MB\n", peak_memory_mb());
    return RHEED_FAILED(run) || ended != RHEED_OK || from->failed;
}

int main(int argc, char **argv) {
    char options[8192];
    recording from = {0};
    if (argc < 6 || (strcmp(argv[4], "8") != 0 && strcmp(argv[4], "16") != 0)) {
        fprintf(stderr, "replay_raw FILE WIDTH HEIGHT 8|16 FPS [key=value ...]\n");
        return 2;
    }
    if (rheed_abi() != RHEED_ABI) {
        fprintf(stderr, "built for interface %d, but the library %s has %d\n", RHEED_ABI, rheed_version(), (int)rheed_abi());
        return 1;
    }
    from.width = (uint32_t)strtoul(argv[2], NULL, 10);
    from.height = (uint32_t)strtoul(argv[3], NULL, 10);
    from.pixel_format = strcmp(argv[4], "16") == 0 ? RHEED_FORMAT_MONO16 : RHEED_FORMAT_MONO8;
    from.frame_bytes = (size_t)from.width * from.height * (strcmp(argv[4], "16") == 0 ? 2 : 1);
    snprintf(options, sizeof options, "fps = %s\n", argv[5]);
    for (int at = 6; at < argc; at++) {
        const size_t used = strlen(options);
        snprintf(options + used, sizeof options - used, "%s\n", argv[at]);
    }

    from.frame = (unsigned char *)malloc(from.frame_bytes);
    from.file = fopen(argv[1], "rb");
    int failed = 1;
    if (from.file == NULL) perror(argv[1]);
    else if (from.frame_bytes == 0 || from.frame == NULL) fprintf(stderr, "no memory for frames of %s x %s\n", argv[2], argv[3]);
    else failed = replay(&from, options);
    if (from.file != NULL) fclose(from.file);
    free(from.frame);
    return failed;
}
