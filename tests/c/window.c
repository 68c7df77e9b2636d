/* A camera of whose wide frames in colour a window is kept, binned, and of every four frames one. All memory outside the window is
 * forbidden: who reads there is killed. */
#define _DEFAULT_SOURCE
#include "host.h"

#ifndef _WIN32
#include <sys/mman.h>
#include <unistd.h>
#endif

enum { ROWS = 16, TOP = 4, WINDOW_ROWS = 9, BIN = 4, DECIMATE = 4, FRAMES = 41, MISSED = 2 };

static size_t page;

static unsigned char *memory_of(size_t bytes) {
#ifdef _WIN32
    page = 4096;
    void *memory = VirtualAlloc(NULL, bytes * page, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    CHECK(memory != NULL);
#else
    page = (size_t)sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, bytes * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
#endif
    return (unsigned char *)memory;
}

static void forbid(unsigned char *at) {
#ifdef _WIN32
    DWORD before;
    CHECK(VirtualProtect(at, page, PAGE_NOACCESS, &before));
#else
    CHECK(mprotect(at, page, PROT_NONE) == 0);
#endif
}

/* Of three pages a row the middle one, and of those rows the ones that fill squares. */
static int is_kept(int row, int third) { return third == 1 && row >= TOP && row < TOP + WINDOW_ROWS / BIN * BIN; }

int main(int argc, char **argv) {
    const int64_t start_ns = 1700000000000000000;
    unsigned char *const frame = memory_of(3 * ROWS);
    const size_t stride = 3 * page, size = stride * ROWS - 3;
    const uint32_t width = (uint32_t)page - 1, left = ((uint32_t)page + 2) / 3, right = 2 * (uint32_t)page / 3;
    char more[200], told[200], text[8192];
    for (int row = 0; row < ROWS; row++) {
        for (int third = 0; third < 3; third++) {
            if (!is_kept(row, third)) forbid(frame + row * stride + third * page);
        }
    }
    snprintf(more, sizeof more, "roi = %u, %d, %u, %d\nbin = %d\ndecimate = %d\nframe_bytes = %u\n", (unsigned)left, TOP,
             (unsigned)(right - left), WINDOW_ROWS, BIN, DECIMATE, (unsigned)((right - left) / BIN * (WINDOW_ROWS / BIN)));
    rheed_stream stream = open_stream(argc, argv, more);

    for (int number = 0; number < FRAMES; number++) {
        for (int row = TOP; is_kept(row, 1); row++) {
            for (uint32_t column = left; column < right; column++) {
                memset(frame + row * stride + 3 * (size_t)column, (int)(7 * (uint32_t)number + column + 5 * (uint32_t)row), 3);
            }
        }
        /* Of two frames that the camera has lost, the ids are noted though the next one is left out. */
        const uint64_t id = (uint64_t)(number < 6 ? number : number + MISSED);
        const int64_t time_ns = start_ns + number * (int64_t)100000000;
        CHECK_CODE(rheed_push(stream, frame, size, width, ROWS, (uint32_t)stride, RHEED_FORMAT_RGB8, id, time_ns, 0), RHEED_OK);
    }

    /* The whole frame is asked for, and refused whether it would be kept or left out. */
    for (int times = 0; times < 2 * DECIMATE; times++) {
        const uint32_t rows = times % 2 ? ROWS : TOP + WINDOW_ROWS - 1, format = RHEED_FORMAT_RGB8;
        CHECK_CODE(rheed_push(stream, frame, size - times % 2, width, rows, (uint32_t)stride, format, RHEED_NO_FRAME_ID, 0, 0),
                   RHEED_E_ARGUMENT);
        if (times % 2) continue;
        snprintf(told, sizeof told, "a frame of %u x %u pixels, but roi reaches to %u x %d", (unsigned)width, (unsigned)rows,
                 (unsigned)right, TOP + WINDOW_ROWS);
        CHECK_CODE(rheed_text(stream, RHEED_TEXT_LAST_ERROR, text, sizeof text, NULL), RHEED_OK);
        CHECK(strstr(text, told) == text);
    }
    const int kept = (FRAMES + DECIMATE - 1) / DECIMATE;
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == kept);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_LEFT_OUT) == FRAMES - kept);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_MISSED) == MISSED);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_REJECTED) == 2 * DECIMATE);
    CHECK(stat_of(stream, RHEED_STAT_BYTES_RAW) == kept * (int64_t)((right - left) / BIN * (WINDOW_ROWS / BIN)));
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_REPORT, text, sizeof text, NULL), RHEED_OK);
    snprintf(told, sizeof told, "\"left_out\":%d", FRAMES - kept);
    CHECK(strstr(text, told) != NULL);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}
