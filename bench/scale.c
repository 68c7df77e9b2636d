/*
 * What a frame costs, and whether it stays so: streams at once, each from a thread of its own, flat out.
 *
 *     scale --frames FILE --width W --height H --count 100000 [--streams 4] [--leave CHUNKS] key=value ...
 *
 * The first stream's frames are looked at in tenths: time and CPU per frame, the whole process's. `--leave CHUNKS`: as soon as
 * so many are sealed, the program ends, and they stay in the spool.
 */
#include "bench.h"

#include <pthread.h>

enum { TENTHS = 10, MOST_STREAMS = 256 };

typedef struct {
    rheed_stream stream;
    const frames *of;
    uint64_t count;
    int64_t wall_ns[TENTHS + 1], cpu_ns[TENTHS + 1]; /* At the beginning of each tenth, and at the end. */
} camera;

static void *run_camera(void *argument) {
    camera *of = (camera *)argument;
    uint64_t number = 0;
    for (int tenth = 0; tenth <= TENTHS; tenth++) {
        for (; number < of->count * (uint64_t)tenth / TENTHS; number++) {
            MUST(push_frame(of->stream, of->of, number) == RHEED_OK);
        }
        of->wall_ns[tenth] = now_ns();
        of->cpu_ns[tenth] = cpu_ns();
    }
    return NULL;
}

static void print_tenths(const char *name, const int64_t *at, uint64_t count) {
    int64_t each[TENTHS];
    for (int tenth = 0; tenth < TENTHS; tenth++) each[tenth] = (at[tenth + 1] - at[tenth]) / (int64_t)(count / TENTHS);
    print_samples(name, each, TENTHS, ", ");
}

int main(int argc, char **argv) {
    static camera cameras[MOST_STREAMS];
    pthread_t ids[MOST_STREAMS];
    const frames of = load_frames(argc, argv);
    const uint64_t count = (uint64_t)argument(argc, argv, "--count", 10000);
    const size_t streams = (size_t)argument(argc, argv, "--streams", 1);
    const int64_t chunks = (int64_t)argument(argc, argv, "--leave", 0);
    const int leave = chunks > 0;
    MUST(count >= TENTHS && streams >= 1 && streams <= MOST_STREAMS);

    const int64_t before_init = now_ns();
    for (size_t at = 0; at < streams; at++) {
        cameras[at].stream = open_stream(argc, argv, "when_full = block");
        cameras[at].of = &of;
        cameras[at].count = count;
    }
    const int64_t begin = now_ns(), cpu_before = cpu_ns();
    for (size_t at = 0; at < streams; at++) MUST(pthread_create(&ids[at], NULL, run_camera, &cameras[at]) == 0);
    for (size_t at = 0; at < streams; at++) pthread_join(ids[at], NULL);
    for (size_t at = 0; at < streams; at++) MUST(!RHEED_FAILED(rheed_finalize(cameras[at].stream, 0)));
    for (size_t at = 0; at < streams && !leave; at++) MUST(rheed_finalize(cameras[at].stream, -1) == RHEED_OK);
    const int64_t took = now_ns() - begin, cpu = cpu_ns() - cpu_before;
    while (stat_of(cameras[0].stream, RHEED_STAT_CHUNKS_SEALED) < chunks) sleep_until(now_ns() + 1000000);
    if (leave) MUST(!RHEED_FAILED(rheed_shutdown(-1)));

    printf("{");
    print_tenths("wall_ns", cameras[0].wall_ns, count);
    print_tenths("cpu_ns", cameras[0].cpu_ns, count);
    printf("\"init_ns\": %" PRId64 ", \"took_ns\": %" PRId64 ", \"all_cpu_ns\": %" PRId64 ", \"raw_bytes\": %" PRIu64
           "}\n",
           begin - before_init, took, cpu, count * streams * of.bytes);
    return 0;
}
