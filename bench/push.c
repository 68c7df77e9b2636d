/*
 * How long rheed_push keeps a camera's thread, beside a memcpy of the same frame: to one place that stays in the cache, and to
 * places that went out of it.
 *
 *     push --frames FILE --width W --height H --rate 120 --seconds 5 [--threads 4] [--flat-out 1] [--copies 0] [--format PFNC]
 *          [--regions 8] key=value ...
 *
 * A row's bytes are pushed as pixels of that format: fewer of them, where a pixel takes more than 8 bits.
 *
 * All three are done with each frame, in each order in turn; before each the frame is read, as if a camera's driver had just
 * written it. Paced, all threads push at the same moments, at `rate` frames a second together. Flat out a frame follows as soon
 * as a slot is free (one is kept, meanwhile, with rheed_acquire), so that the encoder never sleeps. A frame that is refused is counted and not timed.
 *
 * With `--regions` so many of 100 x 100 pixels are watched, and a thread polls all of them ten times a second: each frame has to be read.
 * `poll_ns`: how long such a call took.
 *
 * `cpu_ns` is of the library's threads, of the polling and of the pushes, not of reading and copying. `--copies 0` pushes and nothing else.
 */
#include "bench.h"

#include <pthread.h>

enum { PUSH, HOT, COLD, ACTIONS, ORDERS = 6 };
static const int ORDER[ORDERS][ACTIONS] = {
    {PUSH, HOT, COLD}, {HOT, COLD, PUSH}, {COLD, PUSH, HOT}, {COLD, HOT, PUSH}, {HOT, PUSH, COLD}, {PUSH, COLD, HOT},
};
static const int64_t PAUSE_NS = 200000;

typedef struct {
    rheed_stream stream;
    const frames *of;
    uint32_t format;
    int64_t start_ns, end_ns, frame_time_ns; /* The last is 0 when flat out. */
    uint64_t first, step;                    /* This thread's frames. */
    size_t slot_bytes;
    void *reserved;
    int copies;
    unsigned char *ring; /* Its first place is the hot one. */
    size_t places;
    size_t room, count;
    int64_t *took_ns[ACTIONS];
    int64_t push_cpu_ns, cpu_ns;
    uint64_t refused;
} camera;

/* Of all threads' rings: twice the last cache, as far as 256 MiB. Where a machine shares a larger one among many, ours is a part. */
static size_t ring_bytes(void) {
    const size_t least = (size_t)64 << 20, most = (size_t)256 << 20;
    long cache = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
    cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
    const size_t twice = cache > 0 ? 2 * (size_t)cache : least;
    return twice < least ? least : twice > most ? most : twice;
}

/* A slot, before anything is copied. */
static void await_slot(camera *of) {
    int32_t code;
    while ((code = rheed_acquire(of->stream, of->slot_bytes, &of->reserved)) == RHEED_E_QUEUE_FULL) {
        sleep_until(now_ns() + PAUSE_NS);
    }
    MUST(code == RHEED_OK);
}

/* It is the next that is taken. */
static void give_slot_back(camera *of) {
    if (of->reserved != NULL) MUST(rheed_discard(of->stream, of->reserved) == RHEED_OK);
    of->reserved = NULL;
}

static void read_frame(const unsigned char *frame, size_t bytes) {
    for (size_t at = 0; at < bytes; at += 64) (void)*(const volatile unsigned char *)(frame + at);
}

static int32_t push_as(const camera *of, uint64_t number) {
    const frames *from = of->of;
    const uint32_t bits = of->format >> 16 & 0xFF, width = from->width * 8 / bits;
    return rheed_push(of->stream, frame_at(from, number), from->bytes, width, from->height, from->width, of->format, number, 0, 0);
}

/* False when the frame was refused. */
static int timed(camera *of, int action, uint64_t number) {
    const size_t bytes = of->of->bytes;
    const unsigned char *frame = frame_at(of->of, number);
    int32_t code = RHEED_OK;
    if (of->copies) read_frame(frame, bytes);
    if (action == PUSH) give_slot_back(of);
    const int64_t cpu = thread_cpu_ns(), begin = now_ns();
    if (action == PUSH) code = push_as(of, number);
    else memcpy(of->ring + (action == HOT ? 0 : 1 + number / of->step % (of->places - 1)) * bytes, frame, bytes);
    of->took_ns[action][of->count] = now_ns() - begin;
    if (action == PUSH) of->push_cpu_ns += thread_cpu_ns() - cpu;
    MUST(code == RHEED_OK || code == RHEED_E_QUEUE_FULL);
    return code == RHEED_OK;
}

static void *run_camera(void *argument) {
    camera *of = (camera *)argument;
    const int flat_out = of->frame_time_ns == 0;
    int64_t due_ns = of->start_ns;
    for (uint64_t number = of->first; due_ns < of->end_ns && of->count < of->room; number += of->step) {
        sleep_until(due_ns);
        if (flat_out) await_slot(of);
        int taken = 1;
        for (int at = 0; at < ACTIONS; at++) {
            const int action = ORDER[of->count % ORDERS][at];
            if (action == PUSH || of->copies) taken &= timed(of, action, number);
        }
        of->count += (size_t)taken;
        of->refused += !taken;
        due_ns = flat_out ? now_ns() : due_ns + of->frame_time_ns;
    }
    of->cpu_ns = thread_cpu_ns();
    return NULL;
}

typedef struct {
    rheed_stream stream;
    int32_t regions;
    int64_t read, missed;
    size_t room, polls;
    int64_t *took_ns;
    volatile int over; /* Looked at between polls. */
} watcher;

static void *watch(void *argument) {
    enum { CAPACITY = 1000 };
    watcher *of = (watcher *)argument;
    static double means[CAPACITY];
    static int64_t times_ns[CAPACITY];
    uint64_t positions[8] = {0};
    for (int last = 0; !last;) {
        last = of->over;
        for (int32_t region = 0; region < of->regions; region++) {
            for (int32_t count = CAPACITY; count == CAPACITY;) {
                int64_t missed = 0;
                const int64_t begin = now_ns();
                MUST(rheed_region_read(of->stream, region, &positions[region], times_ns, NULL, NULL, means, NULL, NULL, CAPACITY,
                                       &count, &missed) == RHEED_OK);
                if (of->polls < of->room) of->took_ns[of->polls++] = now_ns() - begin;
                of->read += region == 0 ? count : 0;
                of->missed += missed;
            }
        }
        if (!last) sleep_until(now_ns() + 100000000);
    }
    return NULL;
}

static void set_regions(const watcher *of, uint32_t width, uint32_t height) {
    const uint32_t side = width < 100 || height < 100 ? (width < height ? width : height) : 100;
    for (int32_t region = 0; region < of->regions; region++) {
        const uint32_t x = (width - side) * (uint32_t)region / 8, y = (height - side) * (uint32_t)(region * 3 % 8) / 8;
        MUST(rheed_region_set(of->stream, region, x, y, side, side) == RHEED_OK);
    }
}

static void print_polls(const watcher *of) {
    printf("\"poll_ns\": [");
    for (size_t at = 0; at < of->polls; at++) printf("%s%" PRId64, at == 0 ? "" : ",", of->took_ns[at]);
    printf("], ");
}

static void print_action(const char *name, const camera *cameras, size_t threads, int action) {
    const char *between = "";
    printf("\"%s\": [", name);
    for (const camera *of = cameras; of < cameras + threads; of++) {
        for (size_t at = 0; at < of->count; at++, between = ",") printf("%s%" PRId64, between, of->took_ns[action][at]);
    }
    printf("], ");
}

int main(int argc, char **argv) {
    enum { MOST_THREADS = 64 };
    static camera cameras[MOST_THREADS];
    pthread_t ids[MOST_THREADS];
    const frames of = load_frames(argc, argv);
    const double rate = argument(argc, argv, "--rate", 60), seconds = argument(argc, argv, "--seconds", 5);
    const int flat_out = argument(argc, argv, "--flat-out", 0) > 0, copies = argument(argc, argv, "--copies", 1) > 0;
    const uint32_t format = (uint32_t)argument(argc, argv, "--format", RHEED_FORMAT_MONO8);
    const size_t threads = (size_t)argument(argc, argv, "--threads", 1), slot_bytes = of.bytes * 8 / (format >> 16 & 0xFF);
    const size_t room = flat_out ? 200000 : (size_t)(rate * seconds) + 2;
    MUST(threads >= 1 && threads <= MOST_THREADS);

    const rheed_stream stream = open_for_frames(argc, argv, slot_bytes);
    for (size_t at = 0; at < threads; at++) {
        const size_t fit = ring_bytes() / threads / of.bytes, places = fit < 2 ? 2 : fit;
        camera *one = &cameras[at];
        *one = (camera){.stream = stream, .of = &of, .format = format, .first = at, .step = threads, .copies = copies, .room = room};
        one->frame_time_ns = flat_out ? 0 : (int64_t)(1e9 * (double)threads / rate);
        one->slot_bytes = slot_bytes;
        one->places = places;
        one->ring = (unsigned char *)malloc(places * of.bytes);
        MUST(one->ring != NULL);
        memset(one->ring, 1, places * of.bytes);
        for (int action = 0; action < ACTIONS; action++) {
            one->took_ns[action] = (int64_t *)malloc(room * sizeof(int64_t));
            MUST(one->took_ns[action] != NULL);
        }
    }
    watcher watching = {.stream = stream, .regions = (int32_t)argument(argc, argv, "--regions", 0)};
    watching.room = (size_t)((seconds + 10.0) * 10.0) * (size_t)watching.regions;
    watching.took_ns = (int64_t *)calloc(watching.room + 1, sizeof(int64_t));
    MUST(watching.took_ns != NULL);
    pthread_t watching_id;
    set_regions(&watching, of.width * 8 / (format >> 16 & 0xFF), of.height);
    MUST(pthread_create(&watching_id, NULL, watch, &watching) == 0);
    int64_t cpu = -cpu_ns();
    const int64_t start = now_ns() + 100000000;
    for (size_t at = 0; at < threads; at++) {
        cameras[at].start_ns = start;
        cameras[at].end_ns = start + (int64_t)(seconds * 1e9);
        MUST(pthread_create(&ids[at], NULL, run_camera, &cameras[at]) == 0);
    }
    for (size_t at = 0; at < threads; at++) pthread_join(ids[at], NULL);
    MUST(rheed_finalize(stream, -1) == RHEED_OK);
    cpu += cpu_ns();
    watching.over = 1;
    pthread_join(watching_id, NULL);

    size_t count = 0;
    uint64_t refused = 0;
    for (size_t at = 0; at < threads; at++) {
        cpu += cameras[at].push_cpu_ns - cameras[at].cpu_ns;
        count += cameras[at].count;
        refused += cameras[at].refused;
    }
    MUST(watching.regions == 0 || (watching.missed == 0 && (size_t)watching.read == count));
    printf("{");
    print_action("push_ns", cameras, threads, PUSH);
    print_action("hot_ns", cameras, threads, HOT);
    print_action("cold_ns", cameras, threads, COLD);
    print_polls(&watching);
    printf("\"refused\": %" PRIu64 ", \"cpu_ns\": %" PRId64 ", \"raw_bytes\": %zu}\n", refused, cpu, count * of.bytes);
    return 0;
}
