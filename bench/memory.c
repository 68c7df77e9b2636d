/*
 * How much memory a stream holds while it runs, whatever the service does meanwhile.
 *
 *     memory --frames FILE --width W --height H --rate 120 --seconds 60 --burst 900 key=value ...
 *
 * Begins with a burst of so many frames, or until a slot is lacking, and goes on at the camera's pace half a second later.
 * Prints a line twice a second: what is resident, and the most that was, beyond what was before rheed_init.
 */
#include "bench.h"

static const int64_t PAUSE_NS = 500000000;

int main(int argc, char **argv) {
    const frames of = load_frames(argc, argv);
    const double rate = argument(argc, argv, "--rate", 60), seconds = argument(argc, argv, "--seconds", 60);
    const uint64_t burst = (uint64_t)argument(argc, argv, "--burst", 0);
    const int64_t resident = memory("VmRSS:");
    forget_peak();
    const rheed_stream stream = open_stream(argc, argv, "");
    uint64_t number = 0;
    while (number < burst && push_frame(stream, &of, number) == RHEED_OK) number++;

    const int64_t start = now_ns() + PAUSE_NS;
    int64_t told = start, refused = 0;
    for (double due = 0; due < seconds; due += 1 / rate) {
        sleep_until(start + (int64_t)(due * 1e9));
        const int32_t code = push_frame(stream, &of, number++);
        MUST(code == RHEED_OK || code == RHEED_E_QUEUE_FULL);
        refused += code != RHEED_OK;
        if (now_ns() - told < 500000000) continue;
        told = now_ns();
        printf("{\"s\": %.1f, \"resident_bytes\": %" PRId64 ", \"peak_bytes\": %" PRId64 ", \"pending_chunks\": %" PRId64
               ", \"refused\": %" PRId64 "}\n",
               (double)(told - start) * 1e-9, memory("VmRSS:") - resident, memory("VmHWM:") - resident,
               stat_of(stream, RHEED_STAT_CHUNKS_PENDING), refused);
        fflush(stdout);
    }
    MUST(rheed_finalize(stream, -1) == RHEED_OK);
    return 0;
}
