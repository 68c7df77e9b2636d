/*
 * What the hosts in this folder share. Each is a C program (that C++ compilers take too) which plays a user's program, ends
 * with 0 when the library kept its promises, and else says which line was disappointed.
 * Arguments are key=value lines of options; tests/c_surface.rs gives them.
 */
#ifndef HOST_H
#define HOST_H

#include "rheed_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);           \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

/* A call's code, by name of what was expected. */
#define CHECK_CODE(call, expected)                                                                       \
    do {                                                                                                 \
        const int32_t got_ = (call);                                                                     \
        if (got_ != (expected)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n  answers %d (%s), not %s\n", __FILE__, __LINE__, #call,         \
                    (int)got_, rheed_strerror(got_), #expected);                                         \
            exit(1);                                                                                     \
        }                                                                                                \
    } while (0)

enum { WIDTH = 32, HEIGHT = 16, FRAME_BYTES = WIDTH * HEIGHT, STATS = RHEED_STAT_CAMERA_CLOCK_BOUND_NS + 1 };

#ifdef _WIN32
#include <windows.h>

#include <shellapi.h>

/* The C library has the arguments in the ANSI code page, which lacks most letters; the system has them whole. Gives one of
   main's in UTF-8. */
static inline const char *utf8_of(const char *argument) {
    static __thread char text[4096];
    int count = 0, at = 0;
    LPWSTR *const all = CommandLineToArgvW(GetCommandLineW(), &count);
    while (at < count && strcmp(__argv[at], argument) != 0) at++; /* main got copies of these. */
    CHECK(all != NULL && at < count);
    CHECK(WideCharToMultiByte(CP_UTF8, 0, all[at], -1, text, sizeof text, NULL, NULL) > 0);
    LocalFree(all);
    return text;
}
#else
static inline const char *utf8_of(const char *argument) { return argument; }
#endif

/* The arguments as lines of options, with more lines behind them; good until the thread asks again. */
static inline const char *options_of(int argc, char **argv, const char *more) {
    static __thread char options[16384];
    options[0] = '\0';
    for (int at = 1; at < argc; at++) {
        strcat(strcat(options, utf8_of(argv[at])), "\n");
    }
    return strcat(options, more);
}

/* Opens a stream that has to open. */
static inline rheed_stream open_stream(int argc, char **argv, const char *more) {
    rheed_stream stream = 0;
    char message[1024];
    const int32_t code = rheed_init(options_of(argc, argv, more), &stream, message, sizeof message);
    if (code != RHEED_OK) {
        fprintf(stderr, "rheed_init answers %d: %s\n", (int)code, message);
        exit(1);
    }
    return stream;
}

/* Pushes a frame of one shade, under a frame id. */
static inline int32_t push_shade(rheed_stream stream, int shade, uint64_t frame_id) {
    unsigned char pixels[FRAME_BYTES];
    memset(pixels, shade, sizeof pixels);
    return rheed_push(stream, pixels, sizeof pixels, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO8, frame_id, 0, 0);
}

/* A frame that says which it is, byte for byte as tests/support/frames.rs makes and checks them. */
static inline void fill_numbered(unsigned char *pixels, size_t bytes, uint64_t number) {
    uint64_t word = number, state = number ^ 0x9E3779B97F4A7C15u;
    for (size_t at = 0; at < bytes; at++) {
        if (at > 0 && at % 8 == 0) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word = state;
        }
        pixels[at] = (unsigned char)(word >> 8 * (at % 8));
    }
}

static inline int32_t push_numbered(rheed_stream stream, uint64_t number) {
    unsigned char pixels[FRAME_BYTES];
    fill_numbered(pixels, sizeof pixels, number);
    return rheed_push(stream, pixels, sizeof pixels, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO8, number, 0, 0);
}

static inline int64_t stat_of(rheed_stream stream, int which) {
    int64_t values[STATS];
    CHECK_CODE(rheed_stats(stream, values, STATS, NULL), RHEED_OK);
    return values[which];
}

#endif
