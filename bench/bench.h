/*
 * What the programs of this folder share. Each plays a user's program with a camera, measures one thing, and prints what it
 * measured as a line of JSON; `cargo xtask bench` runs them, and makes the medians and ratios.
 *
 * Arguments: `--name value` says what is measured, `key=value` becomes a line of the stream's options. The service's address
 * and key come from the environment, as for every program.
 */
#ifndef BENCH_H
#define BENCH_H

#ifndef _GNU_SOURCE
#define _XOPEN_SOURCE 700
#endif
#include "rheed_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <time.h>

/* A measurement that did not run as it was meant to is none. */
#define MUST(condition)                                                                          \
    do {                                                                                         \
        if (!(condition)) {                                                                      \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);        \
            exit(1);                                                                             \
        }                                                                                        \
    } while (0)

/* ---- Arguments ------------------------------------------------------------------------------------------------------- */

static inline const char *text_argument(int argc, char **argv, const char *name, const char *otherwise) {
    for (int at = 1; at + 1 < argc; at++) {
        if (strcmp(argv[at], name) == 0) return argv[at + 1];
    }
    return otherwise;
}

static inline double argument(int argc, char **argv, const char *name, double otherwise) {
    const char *text = text_argument(argc, argv, name, NULL);
    return text == NULL ? otherwise : atof(text);
}

typedef char option_text[8192];

/* The key=value arguments, a line each. */
static inline void gather_options(int argc, char **argv, option_text options) {
    options[0] = '\0';
    for (int at = 1; at < argc; at++) {
        if (strncmp(argv[at], "--", 2) == 0) at++;
        else snprintf(options + strlen(options), sizeof(option_text) - strlen(options), "%s\n", argv[at]);
    }
}

/* Opens a stream with the key=value arguments and what is added to them. */
static inline rheed_stream open_stream(int argc, char **argv, const char *added) {
    option_text options;
    char message[1024];
    gather_options(argc, argv, options);
    snprintf(options + strlen(options), sizeof options - strlen(options), "%s\n", added);
    rheed_stream stream = 0;
    const int32_t code = rheed_init(options, &stream, message, sizeof message);
    if (RHEED_FAILED(code)) {
        fprintf(stderr, "rheed_init: %s\n", message);
        exit(1);
    }
    return stream;
}

/* As above, with slots for frames of that size, which lie in memory before the first of them comes. */
static inline rheed_stream open_for_frames(int argc, char **argv, size_t frame_bytes) {
    char added[64];
    snprintf(added, sizeof added, "frame_bytes = %zu", frame_bytes);
    return open_stream(argc, argv, added);
}

/* ---- Frames ---------------------------------------------------------------------------------------------------------- */

/* A file of frames, 8 bits a pixel, one after another; all of it in memory. */
typedef struct {
    unsigned char *pixels;
    uint32_t width, height;
    size_t bytes; /* Of one. */
    size_t count;
} frames;

/* From `--frames FILE --width W --height H`. */
static inline frames load_frames(int argc, char **argv) {
    frames of = {NULL, (uint32_t)argument(argc, argv, "--width", 0), (uint32_t)argument(argc, argv, "--height", 0), 0, 0};
    FILE *file = fopen(text_argument(argc, argv, "--frames", ""), "rb");
    MUST(file != NULL && fseek(file, 0, SEEK_END) == 0);
    of.bytes = (size_t)of.width * of.height;
    MUST(of.bytes > 0);
    of.count = (size_t)ftell(file) / of.bytes;
    MUST(of.count > 0);
    of.pixels = (unsigned char *)malloc(of.count * of.bytes);
    rewind(file);
    MUST(of.pixels != NULL && fread(of.pixels, of.bytes, of.count, file) == of.count);
    fclose(file);
    return of;
}

/* The frame of that number; they come round again. */
static inline const unsigned char *frame_at(const frames *of, uint64_t number) {
    return of->pixels + number % of->count * of->bytes;
}

static inline int32_t push_frame(rheed_stream stream, const frames *of, uint64_t number) {
    return rheed_push(stream, frame_at(of, number), of->bytes, of->width, of->height, 0, RHEED_FORMAT_MONO8, number, 0, 0);
}

static inline int64_t stat_of(rheed_stream stream, rheed_stat which) {
    int64_t values[RHEED_STAT_FPS_MILLI + 1];
    MUST(rheed_stats(stream, values, RHEED_STAT_FPS_MILLI + 1, NULL) == RHEED_OK);
    return values[which];
}

/* ---- Clocks ---------------------------------------------------------------------------------------------------------- */

static inline int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static inline void sleep_until(int64_t due_ns) {
    const struct timespec due = {(time_t)(due_ns / 1000000000), (long)(due_ns % 1000000000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

static inline int64_t cpu_of(clockid_t whose) {
    struct timespec used;
    clock_gettime(whose, &used);
    return used.tv_sec * INT64_C(1000000000) + used.tv_nsec;
}

/* Of all threads of this process, and of the one that calls, in user's and system's mode. */
static inline int64_t cpu_ns(void) { return cpu_of(CLOCK_PROCESS_CPUTIME_ID); }
static inline int64_t thread_cpu_ns(void) { return cpu_of(CLOCK_THREAD_CPUTIME_ID); }

/* ---- Memory ---------------------------------------------------------------------------------------------------------- */

/* A line of /proc/self/status in bytes: VmRSS is what is resident, VmHWM the most that was. */
static inline int64_t memory(const char *line) {
    char text[256];
    int64_t kib = -1;
    FILE *status = fopen("/proc/self/status", "r");
    MUST(status != NULL);
    while (fgets(text, sizeof text, status) != NULL) {
        if (strncmp(text, line, strlen(line)) == 0) kib = atoll(text + strlen(line) + 1);
    }
    fclose(status);
    MUST(kib >= 0);
    return kib * 1024;
}

/* Makes VmHWM begin anew. */
static inline void forget_peak(void) {
    FILE *clear = fopen("/proc/self/clear_refs", "w");
    MUST(clear != NULL && fputs("5", clear) >= 0 && fclose(clear) == 0);
}

/* ---- Answers --------------------------------------------------------------------------------------------------------- */

static inline void print_samples(const char *name, const int64_t *samples, size_t count, const char *end) {
    printf("\"%s\": [", name);
    for (size_t at = 0; at < count; at++) printf("%s%" PRId64, at == 0 ? "" : ",", samples[at]);
    printf("]%s", end);
}

#endif
