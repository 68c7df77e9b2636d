/*
 * The morning after: how long rheed_resume takes over a spool, until the first of its chunks is sent, and until all are.
 *
 *     resume key=value ...
 */
#include "bench.h"

int main(int argc, char **argv) {
    option_text options;
    char message[1024];
    gather_options(argc, argv, options);
    const int64_t begin = now_ns();
    rheed_stream spool = 0;
    if (RHEED_FAILED(rheed_resume(options, &spool, message, sizeof message))) {
        fprintf(stderr, "rheed_resume: %s\n", message);
        return 1;
    }
    const int64_t opened = now_ns();
    for (int32_t kind = RHEED_EVENT_NONE; kind != RHEED_EVENT_CHUNK_CONFIRMED;) {
        MUST(!RHEED_FAILED(rheed_next_event(spool, -1, &kind, NULL, NULL, NULL, 0, NULL)));
    }
    const int64_t first_sent = now_ns();
    MUST(rheed_flush(spool, -1) == RHEED_OK);
    printf("{\"call_ns\": %" PRId64 ", \"first_sent_ns\": %" PRId64 ", \"all_sent_ns\": %" PRId64 ", \"chunks\": %" PRId64 "}\n",
           opened - begin, first_sent - opened, now_ns() - opened, stat_of(spool, RHEED_STAT_CHUNKS_CONFIRMED));
    return 0;
}
