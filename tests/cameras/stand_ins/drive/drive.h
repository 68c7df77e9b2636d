/*
 * What the drivers of the pages' fragments share: a camera that loses two of twelve frames and damages a third, in the form of
 * each SDK, and a stream for them. The fragment is in fragment.h, as the page has it.
 */
#pragma once

#include <inttypes.h>
#include <rheed_stream.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 17, HEIGHT = 8, PADDING = 7, FRAMES = 10, DAMAGED = 6 };

/* Their numbers; pixels are column + row + number. */
static const uint64_t numbers[FRAMES] = {1, 2, 3, 4, 7, 8, 9, 10, 11, 12};

static uint8_t pixels8[(WIDTH + PADDING) * HEIGHT];
static uint16_t pixels16[(WIDTH + PADDING) * HEIGHT];

/* Draws a frame of 8 bits with so many pixels a row. */
static inline void draw8(uint64_t number, unsigned row_pixels) {
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
    char options[8192] = "fps = 100\n", text[1024];
    rheed_stream stream = 0;
    for (int at = 1; at < argc; at++) {
        const size_t used = strlen(options);
        snprintf(options + used, sizeof options - used, "%s\n", argv[at]);
    }
    if (RHEED_FAILED(rheed_init(options, &stream, text, sizeof text))) printf("%s\n", text);
    return stream;
}

static inline int finish(rheed_stream stream, int given_back) {
    int64_t stats[RHEED_STAT_FPS_MILLI + 1] = {0};
    const int32_t ended = rheed_finalize(stream, 60000);
    rheed_stats(stream, stats, RHEED_STAT_FPS_MILLI + 1, NULL);
    printf("sdk: %d given back\n", given_back);
    printf("stream: %" PRId64 " taken, %" PRId64 " confirmed, %" PRId64 " lost, %" PRId64 " dropped, %" PRId64 " rejected, %" PRId64
           " missed, %" PRId64 " incomplete\n",
           stats[RHEED_STAT_FRAMES_ACCEPTED], stats[RHEED_STAT_FRAMES_CONFIRMED], stats[RHEED_STAT_FRAMES_LOST],
           stats[RHEED_STAT_FRAMES_DROPPED], stats[RHEED_STAT_FRAMES_REJECTED], stats[RHEED_STAT_FRAMES_MISSED],
           stats[RHEED_STAT_FRAMES_INCOMPLETE]);
    return ended != RHEED_OK;
}
