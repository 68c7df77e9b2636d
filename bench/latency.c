/*
 * How long the service waits for a chunk: from the call that pushes its last frame until its upload is confirmed, at the
 * camera's pace.
 *
 *     latency --frames FILE --width W --height H --rate 120 --chunk 240 --chunks 3 key=value ...
 *
 * With `--rate 120` and `--chunk 240` go the options fps=120 and chunk_size=240. A thread waits for the events. `blocked_ns` is
 * what the pushes of a chunk took together.
 */
#include "bench.h"

#include <pthread.h>

enum { MOST_CHUNKS = 10000 };

typedef struct {
    rheed_stream stream;
    int64_t chunks;
    int64_t confirmed_ns[MOST_CHUNKS];
} watch;

static void *await_confirmations(void *argument) {
    watch *of = (watch *)argument;
    for (int64_t seen = 0; seen < of->chunks;) {
        int32_t kind = RHEED_EVENT_NONE;
        int64_t chunk = 0;
        MUST(!RHEED_FAILED(rheed_next_event(of->stream, -1, &kind, NULL, &chunk, NULL, 0, NULL)));
        if (kind != RHEED_EVENT_CHUNK_CONFIRMED) continue;
        MUST(chunk >= 0 && chunk < of->chunks);
        of->confirmed_ns[chunk] = now_ns();
        seen++;
    }
    return NULL;
}

int main(int argc, char **argv) {
    static watch of_stream;
    static int64_t latency_ns[MOST_CHUNKS], blocked_ns[MOST_CHUNKS];
    const frames of = load_frames(argc, argv);
    const double rate = argument(argc, argv, "--rate", 60);
    const int64_t chunk = (int64_t)argument(argc, argv, "--chunk", 120), chunks = (int64_t)argument(argc, argv, "--chunks", 3);
    MUST(chunks >= 1 && chunks <= MOST_CHUNKS);
    of_stream.stream = open_for_frames(argc, argv, of.bytes);
    of_stream.chunks = chunks;
    pthread_t watcher;
    MUST(pthread_create(&watcher, NULL, await_confirmations, &of_stream) == 0);

    const int64_t start = now_ns();
    for (int64_t number = 0; number < chunks * chunk; number++) {
        sleep_until(start + (int64_t)((double)number * 1e9 / rate));
        const int64_t called = now_ns();
        MUST(push_frame(of_stream.stream, &of, (uint64_t)number) == RHEED_OK);
        blocked_ns[number / chunk] += now_ns() - called;
        latency_ns[number / chunk] = called;
    }
    pthread_join(watcher, NULL);
    MUST(rheed_finalize(of_stream.stream, -1) == RHEED_OK);
    for (int64_t at = 0; at < chunks; at++) latency_ns[at] = of_stream.confirmed_ns[at] - latency_ns[at];
    printf("{");
    print_samples("latency_ns", latency_ns, (size_t)chunks, ", ");
    print_samples("blocked_ns", blocked_ns, (size_t)chunks, "}\n");
    return 0;
}
