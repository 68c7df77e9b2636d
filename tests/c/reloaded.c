/* A host of plug-ins that loads and unloads the library a hundred times, and streams each time. It leaves neither threads nor
   files nor memory behind. The library's own path is the first argument, the number of times the second. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "process.h"

#undef CHECK_CODE /* It calls rheed_strerror, which this program is not linked with. */

static void *library;

static void look_up(const char *name, void *function) {
    void *const address = dlsym(library, name);
    CHECK(address != NULL);
    memcpy(function, &address, sizeof address);
}

static int mappings(void) {
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps != NULL);
    for (int letter; (letter = fgetc(maps)) != EOF;) count += letter == '\n';
    fclose(maps);
    return count;
}

static void live(int argc, char **argv, int shuts_down) {
    int32_t (*init)(const char *, rheed_stream *, char *, int32_t);
    int32_t (*push)(rheed_stream, const void *, uint64_t, uint32_t, uint32_t, uint32_t, uint32_t, uint64_t, int64_t, uint32_t);
    int32_t (*finalize)(rheed_stream, int32_t);
    int32_t (*release)(rheed_stream);
    int32_t (*shut_down)(int32_t);
    library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) fprintf(stderr, "%s\n", dlerror());
    CHECK(library != NULL);
    look_up("rheed_init", &init);
    look_up("rheed_push", &push);
    look_up("rheed_finalize", &finalize);
    look_up("rheed_free", &release);
    look_up("rheed_shutdown", &shut_down);

    char message[1024];
    rheed_stream stream = 0;
    unsigned char pixels[FRAME_BYTES];
    if (init(options_of(argc - 2, argv + 2, "chunk_size = 20\n"), &stream, message, sizeof message) != RHEED_OK) {
        fprintf(stderr, "%s\n", message);
        exit(1);
    }
    for (uint64_t at = 0; at < 30; at++) {
        fill_numbered(pixels, sizeof pixels, at);
        CHECK(push(stream, pixels, sizeof pixels, WIDTH, HEIGHT, 0, 0, at, 0, 0) == RHEED_OK);
    }
    if (shuts_down) {
        CHECK(finalize(stream, -1) == RHEED_OK);
        CHECK(release(stream) == RHEED_OK);
        CHECK(shut_down(-1) >= 0); /* What was freed without finalize may be left for the next. */
    } else {
        CHECK(release(stream) == RHEED_OK); /* Its threads run on, and their code stays where it is. */
    }
    CHECK(dlclose(library) == 0);
    library = NULL;
}

int main(int argc, char **argv) {
    CHECK(argc > 3);
    const int times = atoi(argv[2]), begin = 10;
    live(argc, argv, 1);
    const int files = open_files(); /* What a process keeps for good it has after its first stream. */
    int mapped = 0, most_mapped = 0;
    for (int round = 0; round < times; round++) {
        if (round % 10 == 9) live(argc, argv, 0);
        live(argc, argv, 1);
        while (threads() > 1 || open_files() > files) sched_yield(); /* What stays makes this hang, which the test sees. */
        if (round == begin) mapped = mappings();
        if (mappings() > most_mapped) most_mapped = mappings();
    }
    printf("%d mappings after %d times, at most %d in %d\n", mapped, begin, most_mapped, times);
    CHECK(most_mapped < mapped + 64); /* A module that is not unloaded, but loaded again, is about ten each time. */
    return 0;
}
