/*
 * What it takes to bring frames to the service: from the first push until all of them are confirmed and the stream is ended.
 *
 *     through --frames FILE --width W --height H --rounds 4 key=value ...
 *
 * The frames are in memory before the clock starts. `grown` is the most memory that was resident meanwhile beyond what was
 * before rheed_init, frames included.
 */
#include "bench.h"

int main(int argc, char **argv) {
    const frames of = load_frames(argc, argv);
    const uint64_t count = (uint64_t)argument(argc, argv, "--rounds", 1) * of.count;
    int64_t *push_ns = (int64_t *)malloc(count * sizeof(int64_t));
    MUST(push_ns != NULL);
    memset(push_ns, 1, count * sizeof(int64_t));
    const int64_t resident = memory("VmRSS:");
    forget_peak();
    const rheed_stream stream = open_stream(argc, argv, "when_full = block");

    const int64_t cpu_before = cpu_ns(), begin = now_ns();
    for (uint64_t number = 0; number < count; number++) {
        const int64_t called = now_ns();
        MUST(push_frame(stream, &of, number) == RHEED_OK);
        push_ns[number] = now_ns() - called;
    }
    MUST(rheed_finalize(stream, -1) == RHEED_OK);
    const int64_t took = now_ns() - begin, cpu = cpu_ns() - cpu_before, peak = memory("VmHWM:");

    MUST(stat_of(stream, RHEED_STAT_FRAMES_CONFIRMED) == (int64_t)count);
    printf("{");
    print_samples("push_ns", push_ns, count, ", ");
    printf("\"took_ns\": %" PRId64 ", \"cpu_ns\": %" PRId64 ", \"raw_bytes\": %" PRIu64 ", \"grown_bytes\": %" PRId64
           "}\n",
           took, cpu, count * of.bytes, peak - resident);
    return 0;
}
