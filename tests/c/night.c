/*
 * A night at a growth chamber: a camera of 120 frames per second, and a process that may be killed at any moment.
 *
 *     night stream ACCOUNT FRAMES WIDTH HEIGHT option=value...     pushes so many frames, then finalizes
 *     night resume ACCOUNT option=value...                         takes up what such a process left
 *
 * ACCOUNT is a file that outlives the process: mapped memory, whose every store is in the file even after SIGKILL. A frame says
 * which it is, and so does its time stamp; tests/support/night.rs knows both.
 */
#define _POSIX_C_SOURCE 200809L

#include "host.h"

#include <time.h>
#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

/* What the test reads after the process is gone. */
struct account {
    volatile uint64_t opened;     /* 1 as soon as there is a handle */
    volatile uint64_t begun;      /* frames of which the push has begun */
    volatile uint64_t accepted;   /* frames of which it returned RHEED_OK */
    volatile uint64_t refused;    /* pushes for which there was no slot */
    volatile uint64_t finalizing; /* 1 when the last frame was pushed */
    volatile uint64_t done;       /* 1 when all has been said and done */
};

enum { FPS = 120 };
static const int64_t FIRST_STAMP_NS = INT64_C(1700000000000000000);
static const int64_t FRAME_NS = 1000000000 / FPS;

static struct account *open_account(const char *name) {
#ifdef _WIN32
    const HANDLE file = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_ALWAYS, 0, NULL);
    CHECK(file != INVALID_HANDLE_VALUE);
    const HANDLE mapping = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, sizeof(struct account), NULL);
    CHECK(mapping != NULL);
    void *memory = MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, sizeof(struct account));
    CHECK(memory != NULL);
    return (struct account *)memory;
#else
    const int file = open(name, O_RDWR | O_CREAT, 0600);
    CHECK(file >= 0 && ftruncate(file, sizeof(struct account)) == 0);
    void *memory = mmap(NULL, sizeof(struct account), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(memory != MAP_FAILED);
    return (struct account *)memory;
#endif
}

/* A number, then noise that follows from it and does not compress: as tests/support/frames.rs has it. */
static void draw(uint64_t number, unsigned char *pixels, size_t bytes) {
    uint64_t state = number ^ UINT64_C(0x9E3779B97F4A7C15);
    memcpy(pixels, &number, sizeof number);
    for (size_t at = sizeof number; at < bytes; at += sizeof state) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(pixels + at, &state, bytes - at < sizeof state ? bytes - at : sizeof state);
    }
}

/* A camera's stamps are not quite even. */
static int64_t stamp_of(uint64_t number) {
    return FIRST_STAMP_NS + (int64_t)number * FRAME_NS + (int64_t)(number * 7919 % 1000) * 1000;
}

/* The next moment at which the camera has a frame. */
static void wait_for_frame(struct timespec *next) {
    next->tv_nsec += FRAME_NS;
    if (next->tv_nsec >= 1000000000) {
        next->tv_nsec -= 1000000000;
        next->tv_sec++;
    }
    for (struct timespec now;;) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        const int64_t left = (next->tv_sec - now.tv_sec) * INT64_C(1000000000) + next->tv_nsec - now.tv_nsec;
        const struct timespec pause = {0, left < 999999999 ? (long)left : 999999999};
        if (left <= 0) return;
        nanosleep(&pause, NULL);
    }
}

static void stream_frames(struct account *account, int argc, char **argv) {
    const uint64_t frames = strtoull(argv[3], NULL, 10);
    const uint32_t width = (uint32_t)atoi(argv[4]), height = (uint32_t)atoi(argv[5]);
    const size_t bytes = (size_t)width * height;
    unsigned char *pixels = (unsigned char *)malloc(bytes);
    struct timespec next;
    CHECK(pixels != NULL);

    const rheed_stream stream = open_stream(argc - 5, argv + 5, "");
    account->opened = 1;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (uint64_t number = 0; number < frames;) {
        wait_for_frame(&next);
        draw(number, pixels, bytes);
        account->begun = number + 1;
        const int32_t code =
            rheed_push(stream, pixels, bytes, width, height, 0, RHEED_FORMAT_MONO8, number, stamp_of(number), 0);
        if (code == RHEED_E_QUEUE_FULL) {
            account->refused++; /* The next frame bears this one's number, so that what was taken has no gaps. */
            continue;
        }
        CHECK_CODE(code, RHEED_OK);
        account->accepted = ++number;
    }
    account->finalizing = 1;
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    free(pixels);
}

static void resume(struct account *account, int argc, char **argv) {
    rheed_stream spool = 0;
    char message[1024];
    CHECK_CODE(rheed_resume(options_of(argc - 2, argv + 2, ""), &spool, message, sizeof message), RHEED_OK);
    account->opened = 1;
    const int32_t code = rheed_flush(spool, -1);
    CHECK(code == RHEED_OK || code == RHEED_W_LOSS);
    CHECK_CODE(rheed_free(spool), RHEED_OK);
}

int main(int argc, char **argv) {
    CHECK(argc > 2);
    struct account *account = open_account(argv[2]);
    if (strcmp(argv[1], "stream") == 0) {
        CHECK(argc > 5);
        stream_frames(account, argc, argv);
    } else {
        resume(account, argc, argv);
    }
    CHECK(!RHEED_FAILED(rheed_shutdown(-1))); /* What was damaged in a spool is a loss. */
    account->done = 1;
    return 0;
}
