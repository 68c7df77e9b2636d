/*
 * How long rheed_push keeps a camera's thread, beside a memcpy of the same frame to a place that was not touched of late.
 *
 *     push --frames FILE --width W --height H --rate 120 --seconds 5 [--threads 4] [--flat-out 1] [--format PFNC] key=value ...
 *
 * A row's bytes are pushed as pixels of that format: fewer of them, where a pixel takes more than 8 bits.
 *
 * Both are done with each frame, and take turns in being first, since the second finds the frame in the cache. Paced, all
 * threads push at the same moments, at `rate` frames a second together; flat out as soon as a slot is free, so that the encoder
 * never sleeps. A frame that is refused for want of a slot is counted and not timed.
 */
#include "bench.h"

#include <pthread.h>

/* Copies go round in as much memory as a stream has slots by default. */
static const size_t RING_BYTES = (size_t)64 << 20;
static const int64_t PAUSE_NS = 200000;

typedef struct {
    rheed_stream stream;
    const frames *of;
    uint32_t format;
    int64_t start_ns, end_ns, frame_time_ns; /* The last is 0 when flat out. */
    uint64_t first, step;                    /* This thread's frames. */
    unsigned char *ring;
    size_t places;
    size_t room, count;
    int64_t *push_ns, *memcpy_ns;
    uint64_t refused;
} camera;

static int64_t timed_memcpy(camera *of, uint64_t number) {
    unsigned char *place = of->ring + of->count % of->places * of->of->bytes;
    const int64_t begin = now_ns();
    memcpy(place, frame_at(of->of, number), of->of->bytes);
    return now_ns() - begin;
}

static int32_t push_as(const camera *of, uint64_t number) {
    const frames *from = of->of;
    const uint32_t bits = of->format >> 16 & 0xFF, width = from->width * 8 / bits;
    return rheed_push(of->stream, frame_at(from, number), from->bytes, width, from->height, from->width, of->format, number, 0, 0);
}

/* -1 when the frame was refused. */
static int64_t timed_push(camera *of, uint64_t number) {
    const int64_t begin = now_ns();
    const int32_t code = push_as(of, number);
    const int64_t took = now_ns() - begin;
    MUST(code == RHEED_OK || code == RHEED_E_QUEUE_FULL);
    return code == RHEED_OK ? took : -1;
}

static void *run_camera(void *argument) {
    camera *of = (camera *)argument;
    int64_t due_ns = of->start_ns;
    for (uint64_t number = of->first; due_ns < of->end_ns && of->count < of->room; number += of->step) {
        sleep_until(due_ns);
        int64_t copied, pushed;
        if (of->count % 2 == 0) {
            copied = timed_memcpy(of, number);
            pushed = timed_push(of, number);
        } else {
            pushed = timed_push(of, number);
            copied = timed_memcpy(of, number);
        }
        const int taken = pushed >= 0;
        if (taken) {
            of->push_ns[of->count] = pushed;
            of->memcpy_ns[of->count++] = copied;
        } else {
            of->refused++;
        }
        due_ns = of->frame_time_ns > 0 ? due_ns + of->frame_time_ns : now_ns() + (taken ? 0 : PAUSE_NS);
    }
    return NULL;
}

int main(int argc, char **argv) {
    const frames of = load_frames(argc, argv);
    const double rate = argument(argc, argv, "--rate", 60), seconds = argument(argc, argv, "--seconds", 5);
    const int flat_out = argument(argc, argv, "--flat-out", 0) > 0;
    const uint32_t format = (uint32_t)argument(argc, argv, "--format", RHEED_FORMAT_MONO8);
    const size_t threads = (size_t)argument(argc, argv, "--threads", 1);
    const size_t room = flat_out ? 200000 : (size_t)(rate * seconds) + 2;
    enum { MOST_THREADS = 64 };
    camera cameras[MOST_THREADS];
    pthread_t ids[MOST_THREADS];
    MUST(threads >= 1 && threads <= MOST_THREADS);

    char added[64];
    snprintf(added, sizeof added, "frame_bytes = %zu", of.bytes);
    const rheed_stream stream = open_stream(argc, argv, added);
    const int64_t cpu_before = cpu_ns(), start = now_ns() + 100000000;
    for (size_t at = 0; at < threads; at++) {
        const size_t fit = RING_BYTES / threads / of.bytes, places = fit < 2 ? 2 : fit;
        camera one = {stream, &of, format, start, start + (int64_t)(seconds * 1e9), 0, at, threads, NULL, places, room, 0, NULL, NULL, 0};
        one.frame_time_ns = flat_out ? 0 : (int64_t)(1e9 * (double)threads / rate);
        one.ring = (unsigned char *)malloc(places * of.bytes);
        one.push_ns = (int64_t *)malloc(room * sizeof(int64_t));
        one.memcpy_ns = (int64_t *)malloc(room * sizeof(int64_t));
        MUST(one.ring != NULL && one.push_ns != NULL && one.memcpy_ns != NULL);
        memset(one.ring, 1, places * of.bytes);
        cameras[at] = one;
    }
    for (size_t at = 0; at < threads; at++) MUST(pthread_create(&ids[at], NULL, run_camera, &cameras[at]) == 0);
    for (size_t at = 0; at < threads; at++) pthread_join(ids[at], NULL);
    MUST(rheed_finalize(stream, -1) == RHEED_OK);
    const int64_t cpu = cpu_ns() - cpu_before;

    size_t count = 0;
    uint64_t refused = 0;
    for (size_t at = 1; at < threads; at++) cameras[0].room += cameras[at].count;
    int64_t *pushes = (int64_t *)malloc(cameras[0].room * sizeof(int64_t));
    int64_t *copies = (int64_t *)malloc(cameras[0].room * sizeof(int64_t));
    MUST(pushes != NULL && copies != NULL);
    for (size_t at = 0; at < threads; at++) {
        memcpy(pushes + count, cameras[at].push_ns, cameras[at].count * sizeof(int64_t));
        memcpy(copies + count, cameras[at].memcpy_ns, cameras[at].count * sizeof(int64_t));
        count += cameras[at].count;
        refused += cameras[at].refused;
    }
    printf("{");
    print_samples("push_ns", pushes, count);
    print_samples("memcpy_ns", copies, count);
    printf("\"refused\": %" PRIu64 ", \"cpu_ns\": %" PRId64 ", \"raw_bytes\": %zu}\n", refused, cpu, count * of.bytes);
    return 0;
}
