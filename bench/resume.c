/*
 * The morning after: how long rheed_resume takes over a spool, and until all that it holds is sent.
 *
 *     resume key=value ...
 */
#include "bench.h"

int main(int argc, char **argv) {
    char options[8192] = "", message[1024];
    for (int at = 1; at < argc; at++) {
        snprintf(options + strlen(options), sizeof options - strlen(options), "%s\n", argv[at]);
    }
    const int64_t resident = memory("VmRSS:"), begin = now_ns();
    rheed_stream spool = 0;
    if (RHEED_FAILED(rheed_resume(options, &spool, message, sizeof message))) {
        fprintf(stderr, "rheed_resume: %s\n", message);
        return 1;
    }
    const int64_t opened = now_ns(), cpu_before = cpu_ns();
    MUST(rheed_flush(spool, -1) == RHEED_OK);
    printf("{\"call_ns\": %" PRId64 ", \"all_sent_ns\": %" PRId64 ", \"cpu_ns\": %" PRId64 ", \"chunks\": %" PRId64
           ", \"grown_bytes\": %" PRId64 "}\n",
           opened - begin, now_ns() - opened, cpu_ns() - cpu_before, stat_of(spool, RHEED_STAT_CHUNKS_CONFIRMED),
           memory("VmHWM:") - resident);
    return 0;
}
