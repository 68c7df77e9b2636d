/*
 * What the library costs before it does anything: loading it, its first call, its first push, and keeping a stream open.
 *
 *     footprint --library FILE [--push 100] [--settle 3 --idle 2 --times 5] key=value ...
 *
 * Loaded by name and not linked, so that loading can be timed. `init_ns` is of the first call that there is, and
 * `first_push_ns` of the first of so many pushes of a frame of 500x300. Then nothing happens: `idle_ns` is the CPU that each of
 * so many spells of `idle` seconds takes.
 */
#include "bench.h"

#include <dlfcn.h>

enum { WIDTH = 500, HEIGHT = 300, MOST_SPELLS = 100 };

typedef int32_t (*init_function)(const char *, rheed_stream *, char *, int32_t);
typedef int32_t (*push_function)(rheed_stream, const void *, uint64_t, uint32_t, uint32_t, uint32_t, uint32_t, uint64_t, int64_t,
                                 uint32_t);

/* ISO C knows no way from an object's address to a function's; POSIX wants it to work. */
static void find(void *library, const char *name, void *function) {
    void *const address = dlsym(library, name);
    MUST(address != NULL);
    memcpy(function, &address, sizeof address);
}

int main(int argc, char **argv) {
    option_text options;
    char message[1024];
    static unsigned char frame[WIDTH * HEIGHT];
    int64_t idle_ns[MOST_SPELLS], first_push_ns = 0;
    const double settle = argument(argc, argv, "--settle", 0), idle = argument(argc, argv, "--idle", 0);
    const int spells = (int)argument(argc, argv, "--times", 0), pushes = (int)argument(argc, argv, "--push", 0);
    MUST(spells <= MOST_SPELLS);
    gather_options(argc, argv, options);
    memset(frame, 7, sizeof frame);

    const int64_t begin = now_ns();
    void *library = dlopen(text_argument(argc, argv, "--library", ""), RTLD_NOW | RTLD_LOCAL);
    MUST(library != NULL);
    const int64_t loaded = now_ns();
    init_function init;
    push_function push;
    find(library, "rheed_init", &init);
    find(library, "rheed_push", &push);

    rheed_stream stream = 0;
    const int64_t called = now_ns();
    const int32_t code = init(options, &stream, message, sizeof message);
    const int64_t opened = now_ns();
    if (RHEED_FAILED(code) || message[0] != '\0') {
        fprintf(stderr, "rheed_init: %s\n", message);
        return 1;
    }
    for (int number = 0; number < pushes; number++) {
        const int64_t pushed = now_ns();
        MUST(push(stream, frame, sizeof frame, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO8, (uint64_t)number, 0, 0) == RHEED_OK);
        if (number == 0) first_push_ns = now_ns() - pushed;
    }
    sleep_until(now_ns() + (int64_t)(settle * 1e9));
    for (int spell = 0; spell < spells; spell++) {
        const int64_t before = cpu_ns();
        sleep_until(now_ns() + (int64_t)(idle * 1e9));
        idle_ns[spell] = cpu_ns() - before;
    }
    printf("{");
    print_samples("idle_ns", idle_ns, (size_t)spells, ", ");
    printf("\"load_ns\": %" PRId64 ", \"init_ns\": %" PRId64 ", \"first_push_ns\": %" PRId64 "}\n", loaded - begin, opened - called,
           first_push_ns);
    fflush(stdout);
    _Exit(0);
}
