/*
 * What the drivers of the pages' fragments share: a camera that loses two of its frames and damages a third, in the form of
 * each SDK, and a stream for them. The fragment is in fragment.h, as the page has it.
 */
#pragma once

#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <rheed_stream.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WIDTH = 17, HEIGHT = 8, PADDING = 7, FRAMES = 70, DAMAGED = 6 };

/* Of the frame at that place; pixels are column + row + number. */
static inline uint64_t number_of(int at) { return (uint64_t)(at < 4 ? at + 1 : at + 3); }

static inline int64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

enum { PERIOD_MS = 12, OLD_S = 1000 };
static int64_t first_ns, taken_ns;

/*
 * Waits until the next frame is there. On a machine that is busy the camera is slower, and makes up for nothing: so its frames are
 * spread over as much time as the library needs to know the clock.
 */
static inline void take(void) {
    const int64_t due_ns = taken_ns + PERIOD_MS * 1000000;
    struct timespec due;
    due.tv_sec = (time_t)(due_ns / 1000000000), due.tv_nsec = (long)(due_ns % 1000000000);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    taken_ns = nanoseconds(CLOCK_MONOTONIC);
    if (first_ns == 0) first_ns = taken_ns;
}

/* What the camera's own clock said then, which was 1000 s before its first frame. */
static inline uint64_t ticks(uint64_t hz) {
    const uint64_t ns = (uint64_t)(taken_ns - first_ns);
    return OLD_S * hz + ns / 1000000000 * hz + ns % 1000000000 * hz / 1000000000;
}

static uint8_t pixels8[(WIDTH + PADDING) * HEIGHT];
static uint16_t pixels16[(WIDTH + PADDING) * HEIGHT];

/* Takes a frame of 8 bits with so many pixels a row. */
static inline void draw8(uint64_t number, unsigned row_pixels) {
    take();
    memset(pixels8, 0xEE, sizeof pixels8);
    for (unsigned y = 0; y < HEIGHT; y++)
        for (unsigned x = 0; x < WIDTH; x++) pixels8[y * row_pixels + x] = (uint8_t)(x + y + number);
}

/* The same with 12 bits in 16, the low ones. */
static inline void draw12(uint64_t number, unsigned row_pixels) {
    memset(pixels16, 0xEE, sizeof pixels16);
    for (unsigned y = 0; y < HEIGHT; y++)
        for (unsigned x = 0; x < WIDTH; x++) pixels16[y * row_pixels + x] = (uint16_t)((x + y + number) << 4);
}

/* The mishap "packed": 17 times 12 bits are no whole number of bytes, and the rows follow each other all the same. */
enum { MONO12P = 0x010C0047 };

/* Whether the camera is to be played with this mishap. */
static inline int is_played(const char *mishap) {
    const char *played = getenv("MISHAP");
    return played != NULL && strcmp(played, mishap) == 0;
}

/* Behind the fifth frame the camera is lost: said once. Whoever asks again would ask forever. */
enum { UNTIL_LOST = 5 };
static inline int is_lost(int frames) {
    static int told;
    if (!is_played("lost") || frames < UNTIL_LOST) return 0;
    if (told++ > 0) _Exit(9);
    return 1;
}

static inline rheed_stream open_stream(int argc, char **argv) {
    char options[8192] = "", text[1024];
    rheed_stream stream = 0;
    for (int at = 1; at < argc; at++) {
        const size_t used = strlen(options);
        snprintf(options + used, sizeof options - used, "%s\n", argv[at]);
    }
    if (RHEED_FAILED(rheed_init(options, &stream, text, sizeof text))) printf("%s\n", text);
    return stream;
}

/* Of an SDK whose buffers are its own. */
enum { NONE_TO_GIVE_BACK = -1 };

static inline int finish(rheed_stream stream, int given_back) {
    static char report[65536];
    int64_t stats[RHEED_STAT_CAMERA_CLOCK_BOUND_NS + 1] = {0};
    rheed_stats(stream, stats, RHEED_STAT_CAMERA_CLOCK_BOUND_NS + 1, NULL);
    if (stats[RHEED_STAT_CAMERA_CLOCK_BOUND_NS] >= 0) {
        const int64_t began_ns = nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_MONOTONIC) + first_ns - OLD_S * (int64_t)1000000000;
        const int64_t off_ns = stats[RHEED_STAT_CAMERA_CLOCK_OFFSET_NS] - began_ns;
        printf("clock: %" PRId64 " off by, %" PRId64 " the bound\n", off_ns < 0 ? -off_ns : off_ns,
               stats[RHEED_STAT_CAMERA_CLOCK_BOUND_NS]);
    }
    const int32_t ended = rheed_finalize(stream, 60000);
    rheed_stats(stream, stats, RHEED_STAT_CAMERA_CLOCK_BOUND_NS + 1, NULL);
    rheed_text(stream, RHEED_TEXT_REPORT, report, sizeof report, NULL);
    printf("report: %s\n", report);
    if (given_back == NONE_TO_GIVE_BACK) printf("sdk: none to give back\n");
    else printf("sdk: %d given back\n", given_back);
    printf("stream: %" PRId64 " taken, %" PRId64 " confirmed, %" PRId64 " lost, %" PRId64 " dropped, %" PRId64 " rejected, %" PRId64
           " missed, %" PRId64 " incomplete\n",
           stats[RHEED_STAT_FRAMES_ACCEPTED], stats[RHEED_STAT_FRAMES_CONFIRMED], stats[RHEED_STAT_FRAMES_LOST],
           stats[RHEED_STAT_FRAMES_DROPPED], stats[RHEED_STAT_FRAMES_REJECTED], stats[RHEED_STAT_FRAMES_MISSED],
           stats[RHEED_STAT_FRAMES_INCOMPLETE]);
    return ended != RHEED_OK;
}
