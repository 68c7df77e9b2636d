/*
 * What the library costs before it does anything: loading it, its first call, opening a stream, and keeping one open.
 *
 *     footprint --library FILE [--idle 10] key=value ...
 *
 * Loaded by name and not linked, so that loading can be timed. The frame's memory is prepared at the first push.
 */
#include "bench.h"

#include <dlfcn.h>

typedef int32_t (*init_function)(const char *, rheed_stream *, char *, int32_t);
typedef int32_t (*abi_function)(void);

/* ISO C knows no way from an object's address to a function's; POSIX wants it to work. */
static void find(void *library, const char *name, void *function) {
    void *const address = dlsym(library, name);
    MUST(address != NULL);
    memcpy(function, &address, sizeof address);
}

int main(int argc, char **argv) {
    char options[8192] = "", message[1024];
    for (int at = 1; at < argc; at++) {
        if (strncmp(argv[at], "--", 2) == 0) at++;
        else snprintf(options + strlen(options), sizeof options - strlen(options), "%s\n", argv[at]);
    }
    const double idle = argument(argc, argv, "--idle", 0);

    const int64_t begin = now_ns();
    void *library = dlopen(text_argument(argc, argv, "--library", ""), RTLD_NOW | RTLD_LOCAL);
    MUST(library != NULL);
    const int64_t loaded = now_ns();
    abi_function abi;
    find(library, "rheed_abi", &abi);
    MUST(abi() == RHEED_ABI);
    const int64_t called = now_ns();

    init_function init;
    find(library, "rheed_init", &init);
    const int64_t before = now_ns();
    rheed_stream stream = 0;
    const int32_t code = init(options, &stream, message, sizeof message);
    const int64_t opened = now_ns();
    if (RHEED_FAILED(code) || message[0] != '\0') {
        fprintf(stderr, "rheed_init: %s\n", message);
        return 1;
    }
    const int64_t cpu_before = cpu_ns();
    sleep_until(now_ns() + (int64_t)(idle * 1e9));
    const int64_t idle_cpu = cpu_ns() - cpu_before;
    printf("{\"load_ns\": %" PRId64 ", \"first_call_ns\": %" PRId64 ", \"init_ns\": %" PRId64 ", \"idle_cpu_ns\": %" PRId64 "}\n",
           loaded - begin, called - loaded, opened - before, idle_cpu);
    fflush(stdout);
    _Exit(0);
}
