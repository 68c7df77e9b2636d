/* A VI as labview/README.md draws it, in C: declarations from the header for the import wizard, one loop that pushes, one that polls,
   one that reads the spot's intensity, each on a thread of its own; the procedures of the Callbacks tab are called by name. The first argument is how the VI ends:
   `finalizes`, `forgets` (no finalize, no free) or `aborts`; or `quits`: it forgets, and LabVIEW is gone a moment later. */
#define _GNU_SOURCE /* RTLD_DEFAULT */
#include "../../labview/rheed_stream_labview.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);           \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

enum { WIDTH = 32, HEIGHT = 16, OK = 0, PENDING = 1, QUEUE_FULL = -5, SEALED = 10, STATS = 28, STATUS = 3, TEXT_SIZE = 1024, CAPACITY = 1000 };

/* The region around the spot. */
enum { LEFT = 5, TOP = 3, COLUMNS = 9, ROWS = 7 };

/* What lies on the diagram's wires. */
static unsigned long long stream;
static atomic_int stop;
static unsigned long long frames = 50;

/* As tests/support/frames.rs makes and checks them. */
static void fill_numbered(unsigned char *pixels, unsigned long long number) {
    unsigned long long word = number, state = number ^ 0x9E3779B97F4A7C15ull;
    for (int at = 0; at < WIDTH * HEIGHT; at++) {
        if (at > 0 && at % 8 == 0) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word = state;
        }
        pixels[at] = (unsigned char)(word >> 8 * (at % 8));
    }
}

static void *push_loop(void *unused) {
    unsigned char image[HEIGHT][WIDTH]; /* A 2D array of U8: row by row. */
    (void)unused;
    for (unsigned long long at = 0; at < frames; at++) {
        int code;
        fill_numbered(image[0], at);
        do code = rheed_push(stream, image[0], sizeof image, WIDTH, HEIGHT, 0, 0, at, 0, at % 2); /* Every other one is incomplete. */
        while (code == QUEUE_FULL); /* This camera waits. */
        CHECK(code == OK);
    }
    return NULL;
}

static void *poll_loop(void *unused) {
    char text[TEXT_SIZE]; /* The minimum size of the page. */
    (void)unused;
    while (!stop) {
        int kind = 0, needed = 0;
        long long time_ns = 0, value = 0, values[STATS] = {0};
        do CHECK(rheed_next_event(stream, 0, &kind, &time_ns, &value, text, TEXT_SIZE, &needed) == OK);
        while (kind != 0);
        CHECK(rheed_stats(stream, values, STATS, &needed) == OK && needed == STATS);
        CHECK(rheed_text(stream, STATUS, text, TEXT_SIZE, &needed) == OK && text[0] != '\0');
        if (values[SEALED] >= 2) stop = 1; /* The user has seen enough. */
    }
    return NULL;
}

/* What a frame's region has to give. A 2D array of U8 is cut out by Array Subset, and summed. */
static long long sum_of(unsigned long long number) {
    unsigned char image[HEIGHT][WIDTH];
    long long sum = 0;
    fill_numbered(image[0], number);
    for (int row = TOP; row < TOP + ROWS; row++) {
        for (int column = LEFT; column < LEFT + COLUMNS; column++) sum += image[row][column];
    }
    return sum;
}

/* The shift register's loop: nothing is kept from one turn to the next but the position. */
static void *chart_loop(void *unused) {
    unsigned long long position = 0, charted = 0;
    (void)unused;
    for (int last = 0; !last;) {
        int count;
        last = stop;
        do {
            unsigned long long same = position;
            long long times_ns[CAPACITY], sums[CAPACITY], missed = 77;
            unsigned long long frame_ids[CAPACITY];
            unsigned flags[CAPACITY];
            double means[CAPACITY];
            int maxima[CAPACITY];
            CHECK(rheed_region_read(stream, 0, &position, times_ns, frame_ids, flags, means, maxima, sums, CAPACITY, &count, &missed) == OK);
            CHECK(missed == 0);
            for (int at = 0; at < count; at++, charted++) {
                CHECK(frame_ids[at] == charted && flags[at] == charted % 2 && times_ns[at] > 1600000000000000000LL);
                CHECK(sums[at] == sum_of(charted) && means[at] == (double)sums[at] / (ROWS * COLUMNS) && maxima[at] <= 255);
            }
            if (count == 0) break;
            /* The one beside it: as many, from the same position. */
            int as_many = 0;
            const unsigned long long first = frame_ids[0];
            CHECK(rheed_region_read(stream, 1, &same, times_ns, frame_ids, flags, means, maxima, sums, count, &as_many, &missed) == OK);
            CHECK(as_many == count && missed == 0 && same == position && frame_ids[0] == first);
        } while (count == CAPACITY);
    }
    CHECK(charted >= 40 && position == charted); /* Those in two chunks. */
    return NULL;
}

static int callback(const char *name, void **instance) {
    int (*procedure)(void **);
#ifdef _WIN32
    const FARPROC address = GetProcAddress(GetModuleHandleA("rheed_stream.dll"), name);
#else
    void *const address = dlsym(RTLD_DEFAULT, name);
#endif
    CHECK(address != NULL);
    memcpy(&procedure, &address, sizeof address);
    return procedure(instance);
}

int main(int argc, char **argv) {
    CHECK(argc > 2);
    const char *const ends = argv[1];
    const int quits = strcmp(ends, "quits") == 0;
    char options[4096] = "", message[TEXT_SIZE] = "";
    strcat(options, quits ? "chunk_size = 500\r\nqueue_bytes = 1MiB\r\n" : "chunk_size = 20\r\n");
    if (quits) frames = 6000; /* Three times what fits in the queue. */
    for (int at = 2; at < argc; at++) strcat(strcat(options, argv[at]), "\r\n");
    void *instance = NULL; /* What LabVIEW keeps for the node of rheed_labview_init. */
    pthread_t pushing, polling, charting;

    CHECK(callback("rheed_labview_reserve", &instance) == OK);
    const int opened = rheed_labview_init(options, &stream, message, TEXT_SIZE, &instance);
    if (opened != OK) fprintf(stderr, "%s\n", message);
    CHECK(opened == OK);
    CHECK(rheed_region_set(stream, 0, LEFT, TOP, COLUMNS, ROWS) == OK);
    CHECK(rheed_region_set(stream, 1, 0, 0, 2, 2) == OK);

    CHECK(pthread_create(&pushing, NULL, push_loop, NULL) == 0);
    CHECK(pthread_create(&polling, NULL, poll_loop, NULL) == 0);
    CHECK(pthread_create(&charting, NULL, chart_loop, NULL) == 0);
    CHECK(pthread_join(pushing, NULL) == 0);
    CHECK(pthread_join(polling, NULL) == 0);
    CHECK(pthread_join(charting, NULL) == 0);

    if (strcmp(ends, "finalizes") == 0) {
        int ended;
        do ended = rheed_finalize(stream, 200);
        while (ended == PENDING);
        CHECK(ended == OK);
        CHECK(rheed_free(stream) == OK);
    } else if (strcmp(ends, "aborts") == 0) {
        CHECK(callback("rheed_labview_abort", &instance) == OK);
    }
    CHECK(callback("rheed_labview_unreserve", &instance) == OK);
    CHECK(instance == NULL);
    CHECK(rheed_stats(stream, NULL, 0, NULL) < 0); /* In each way the handle is gone. */
    if (quits) _exit(0);
    CHECK(rheed_shutdown(-1) >= OK); /* LabVIEW lives on for a while: what is in memory gets to the disk. */
    return 0;
}
