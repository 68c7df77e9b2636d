/* A host that does what LabVIEW does: it loads the library when a VI is opened and lets go of it when the VI is closed, each call
   comes from another thread, texts and arrays are its own, and gone after the call. Three times in one process: the first VI ends
   its stream, the second is closed in the middle of it, the third finds that stream by its number and ends it, opens one of its
   own and is closed in its middle, too. Before, it looks at VIs that are not run, or whose options are refused: nothing keeps the
   library loaded yet, and a thread that called it outlives it. The library's own path is the first argument. */
#define _POSIX_C_SOURCE 200809L
#include "module.h"

#include <pthread.h>

#undef CHECK_CODE /* It calls rheed_strerror, which this program is not linked with. */

enum { FRAMES = 30, IN_CHUNKS = 20, GUARD = 0x5A };

static module library;
static char *path, *options;
static rheed_stream stream;
static uint64_t frame;
static int32_t answer;
static uint64_t position; /* A shift register. */

/* A terminal of the function node: a copy of its own, with room that the call must not touch. */
static char *terminal(size_t bytes) {
    char *const made = (char *)malloc(bytes + 64);
    CHECK(made != NULL);
    memset(made, GUARD, bytes + 64);
    return made;
}

static void give_back(char *terminal, size_t bytes) {
    for (size_t at = bytes; at < bytes + 64; at++) CHECK(terminal[at] == GUARD);
    memset(terminal, 0xDD, bytes + 64); /* The next VI has other things there. */
    free(terminal);
}

static char *copy_of(const char *text) {
    char *const copy = terminal(strlen(text) + 1);
    return strcpy(copy, text);
}

static void load(void) { library = load_module(path); }

static void unload(void) { CHECK(unload_module(library)); }

static void init(void) {
    int32_t(RHEED_CALL * call)(const char *, rheed_stream *, char *, int32_t);
    find_in(library, "rheed_init", &call);
    char *const text = copy_of(options), *const message = terminal(1024);
    answer = call(text, &stream, message, 1024);
    if (answer != RHEED_OK) fprintf(stderr, "%s\n", message);
    give_back(message, 1024);
    give_back(text, strlen(options) + 1);
}

static void push(void) {
    int32_t(RHEED_CALL * call)(rheed_stream, const void *, uint64_t, uint32_t, uint32_t, uint32_t, uint32_t, uint64_t, int64_t, uint32_t);
    find_in(library, "rheed_push", &call);
    char *const pixels = terminal(FRAME_BYTES);
    fill_numbered((unsigned char *)pixels, FRAME_BYTES, frame);
    answer = call(stream, pixels, FRAME_BYTES, WIDTH, HEIGHT, 0, 0, frame, 0, 0);
    give_back(pixels, FRAME_BYTES);
}

static void timed(const char *name) {
    int32_t(RHEED_CALL * call)(rheed_stream, int32_t);
    find_in(library, name, &call);
    answer = call(stream, -1);
}

static void flush(void) { timed("rheed_flush"); }

static void finalize(void) { timed("rheed_finalize"); }

static void release(void) {
    int32_t(RHEED_CALL * call)(rheed_stream);
    find_in(library, "rheed_free", &call);
    answer = call(stream);
}

static void look(void) {
    int32_t(RHEED_CALL * stats)(rheed_stream, int64_t *, int32_t, int32_t *);
    int32_t(RHEED_CALL * text)(rheed_stream, int32_t, char *, int32_t, int32_t *);
    const char *(RHEED_CALL * words)(int32_t);
    find_in(library, "rheed_stats", &stats);
    find_in(library, "rheed_text", &text);
    find_in(library, "rheed_strerror", &words);
    int64_t values[STATS];
    CHECK(stats(stream, values, STATS, NULL) == RHEED_OK);
    CHECK(values[RHEED_STAT_FRAMES_ACCEPTED] == FRAMES && values[RHEED_STAT_FRAMES_CONFIRMED] >= IN_CHUNKS);
    char *const status = terminal(16);
    answer = text(stream, RHEED_TEXT_STATUS, status, 16, NULL);
    CHECK(answer == RHEED_W_TRUNCATED && strlen(status) <= 15);
    CHECK(strlen(words(answer)) > 0);
    give_back(status, 16);
}

static void watch(void) {
    int32_t(RHEED_CALL * call)(rheed_stream, int32_t, uint32_t, uint32_t, uint32_t, uint32_t);
    find_in(library, "rheed_region_set", &call);
    answer = call(stream, 0, 0, 0, WIDTH, HEIGHT);
    position = 0;
}

/* The arrays that are wired have the room of `capacity`, and no more. */
static void chart(void) {
    enum { CAPACITY = 7 };
    int32_t(RHEED_CALL * call)(rheed_stream, int32_t, uint64_t *, int64_t *, uint64_t *, uint32_t *, double *, int32_t *, int64_t *,
                               int32_t, int32_t *, int64_t *);
    find_in(library, "rheed_region_read", &call);
    unsigned char pixels[FRAME_BYTES];
    int32_t count = 77;
    int64_t missed = 77;
    char *const flags = terminal(CAPACITY * sizeof(uint32_t)), *const sums = terminal(CAPACITY * sizeof(int64_t));
    const uint64_t before = position;
    answer = call(stream, 0, &position, NULL, NULL, (uint32_t *)flags, NULL, NULL, (int64_t *)sums, CAPACITY, &count, &missed);
    CHECK(count == (before + CAPACITY <= FRAMES ? CAPACITY : (int32_t)(FRAMES - before)) && missed == 0);
    CHECK(position == before + (uint64_t)count);
    for (int32_t at = 0; at < count; at++) {
        int64_t sum = 0;
        fill_numbered(pixels, FRAME_BYTES, before + (uint64_t)at);
        for (size_t pixel = 0; pixel < FRAME_BYTES; pixel++) sum += pixels[pixel];
        CHECK(((int64_t *)sums)[at] == sum && ((uint32_t *)flags)[at] == 0);
    }
    give_back(flags, CAPACITY * sizeof(uint32_t));
    give_back(sums, CAPACITY * sizeof(int64_t));
}

static void *run_there(void *what) {
    void (*deed)(void);
    memcpy(&deed, what, sizeof deed);
    deed();
    return NULL;
}

/* "Run in any thread": whichever is free. */
static void on_another_thread(void (*deed)(void)) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run_there, &deed) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void must(void (*deed)(void)) {
    on_another_thread(deed);
    CHECK(answer == RHEED_OK);
}

static void acquire(void) {
    must(init);
    must(watch);
    for (frame = 0; frame < FRAMES; frame++) must(push);
    must(flush);
    while (position < FRAMES) must(chart);
    on_another_thread(look);
}

static void ask_without_a_stream(void) {
    const char *(RHEED_CALL * version)(void);
    int32_t(RHEED_CALL * node)(void **);
    void *instance = NULL;
    find_in(library, "rheed_version", &version);
    CHECK(version()[0] != '\0');
    find_in(library, "rheed_labview_reserve", &node);
    CHECK(node(&instance) == RHEED_OK && instance != NULL);
    find_in(library, "rheed_labview_unreserve", &node);
    CHECK(node(&instance) == RHEED_OK && instance == NULL);
}

static void init_by_nonsense(void) {
    int32_t(RHEED_CALL * call)(const char *, rheed_stream *, char *, int32_t);
    char message[1024];
    find_in(library, "rheed_init", &call);
    CHECK(call("nonsense", &stream, message, sizeof message) == RHEED_E_OPTION);
}

/* Calls, and then waits until the library is gone. */
static void *ask_and_outlive(void *barrier) {
    ask_without_a_stream();
    pthread_barrier_wait((pthread_barrier_t *)barrier);
    pthread_barrier_wait((pthread_barrier_t *)barrier);
    return NULL;
}

static void look_without_running(int is_refused) {
    pthread_t thread;
    pthread_barrier_t barrier;
    CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
    on_another_thread(load);
    CHECK(library != NULL);
    CHECK(pthread_create(&thread, NULL, ask_and_outlive, &barrier) == 0);
    pthread_barrier_wait(&barrier);
    ask_without_a_stream();
    if (is_refused) on_another_thread(init_by_nonsense);
    on_another_thread(unload);
#ifdef _WIN32
    if (!is_refused) CHECK(GetModuleHandleA("rheed_stream.dll") == NULL);
#endif
    pthread_barrier_wait(&barrier);
    CHECK(pthread_join(thread, NULL) == 0);
}

int main(int argc, char **argv) {
    CHECK(argc > 1);
    path = argv[1];
    for (int times = 0; times < 4; times++) look_without_running(times > 1);
    options = copy_of(options_of(argc - 1, argv + 1, "chunk_size = 20\n"));
    for (int vi = 0; vi < 3; vi++) {
        on_another_thread(load);
        CHECK(library != NULL);
        if (vi == 2) {
            must(finalize);
            must(release);
        }
        acquire();
        if (vi == 0) {
            must(finalize);
            must(release);
        }
        on_another_thread(unload);
    }
    return 0;
}
