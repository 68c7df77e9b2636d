/* Time from the camera: a counter of 1 MHz that is 30 ppm fast, begins at an odd number, and is later reset.
   Frames come up to 3 ms late, the first ones of chunks 60 ms. Says when frames were really taken, and what bound was told then. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <time.h>

enum { FPS = 100, CHUNK = 200, FRAMES = 500, RESET_AT = 450 };

static int64_t now_ns(clockid_t clock) {
    struct timespec now;
    CHECK(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_until(int64_t monotonic_ns) {
    for (;;) {
        const int64_t left = monotonic_ns - now_ns(CLOCK_MONOTONIC);
        if (left <= 0) return;
        const struct timespec pause = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
        nanosleep(&pause, NULL);
    }
}

int main(int argc, char **argv) {
    static const unsigned char pixels[FRAME_BYTES];
    char text[65536];
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 200\ntimestamp_clock = device\ndevice_tick_hz = 1000000\n");
    int64_t values[STATS];
    CHECK_CODE(rheed_stats(stream, values, STATS, NULL), RHEED_OK);
    CHECK(values[RHEED_STAT_CAMERA_CLOCK_OFFSET_NS] == -1 && values[RHEED_STAT_CAMERA_CLOCK_BOUND_NS] == -1);

    const int64_t begin = now_ns(CLOCK_MONOTONIC);
    uint64_t first = 1234567891;
    int64_t counted_from = begin;
    for (int at = 0; at < FRAMES; at++) {
        const int64_t due = begin + (int64_t)at * (1000000000 / FPS);
        sleep_until(due);
        const int64_t taken = now_ns(CLOCK_MONOTONIC), taken_unix = now_ns(CLOCK_REALTIME);
        if (at == RESET_AT) {
            first = 7;
            counted_from = taken;
        }
        const uint64_t counter = first + (uint64_t)((double)(taken - counted_from) * 1.00003 / 1000.0);
        sleep_until(taken + (at > 0 && at % CHUNK == 0 ? 60000000 : at * 7919 % 3000000));
        CHECK_CODE(rheed_push(stream, pixels, sizeof pixels, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO8, (uint64_t)at, (int64_t)counter, 0), RHEED_OK);
        if (at % CHUNK == 0 || at == RESET_AT - 1) {
            CHECK_CODE(rheed_stats(stream, values, STATS, NULL), RHEED_OK);
            printf("taken %d %lld %lld\n", at, (long long)taken_unix, (long long)values[RHEED_STAT_CAMERA_CLOCK_BOUND_NS]);
        }
        if (at == RESET_AT - 1) {
            /* The reading turns the counter into Unix time. */
            const int64_t away = (int64_t)counter * 1000 + values[RHEED_STAT_CAMERA_CLOCK_OFFSET_NS] - taken_unix;
            const int64_t bound = values[RHEED_STAT_CAMERA_CLOCK_BOUND_NS];
            CHECK(bound >= 0);
            printf("away %lld %lld\n", (long long)away, (long long)bound);
        }
    }
    int32_t kind = -1;
    int64_t value = 0;
    while (kind != RHEED_EVENT_CAMERA_CLOCK) {
        CHECK_CODE(rheed_next_event(stream, -1, &kind, NULL, &value, text, sizeof text, NULL), RHEED_OK);
        CHECK(kind != RHEED_EVENT_STAMPS_ODD && kind != RHEED_EVENT_RATE_OFF);
    }
    CHECK(strstr(text, "anew (1)") != NULL);
    printf("restarted %lld\n", (long long)value);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_REPORT, text, sizeof text, NULL), RHEED_OK);
    CHECK(strstr(text, "\"restarts\":1") != NULL);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}
