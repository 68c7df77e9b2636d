/* A host of plug-ins: loads the library, lets a stream run, unloads it under live threads, and lives. The library's own path
   is the first argument. */
#define _POSIX_C_SOURCE 200809L
#include "module.h"

typedef int32_t(RHEED_CALL *init_function)(const char *, rheed_stream *, char *, int32_t);
typedef int32_t(RHEED_CALL *push_function)(rheed_stream, const void *, uint64_t, uint32_t, uint32_t, uint32_t, uint32_t, uint64_t,
                                           int64_t, uint32_t);
typedef int32_t(RHEED_CALL *timed_function)(rheed_stream, int32_t);

#undef CHECK_CODE /* It calls rheed_strerror, which this program is not linked with. */

int main(int argc, char **argv) {
    CHECK(argc > 1);
    init_function init;
    push_function push;
    timed_function finalize;
    unsigned char pixels[FRAME_BYTES] = {9};
    for (int round = 0; round < 3; round++) {
        const module library = load_module(argv[1]);
        CHECK(library != NULL);
        find_in(library, "rheed_init", &init);
        find_in(library, "rheed_push", &push);
        find_in(library, "rheed_finalize", &finalize);

        char message[1024];
        rheed_stream stream = 0;
        const int32_t opened = init(options_of(argc - 1, argv + 1, "chunk_size = 20\n"), &stream, message, sizeof message);
        if (opened != RHEED_OK) fprintf(stderr, "%s\n", message);
        CHECK(opened == RHEED_OK);
        for (uint64_t at = 0; at < 30; at++) {
            CHECK(push(stream, pixels, sizeof pixels, WIDTH, HEIGHT, 0, 0, at, 0, 0) == RHEED_OK);
        }
        CHECK(unload_module(library));

        /* Its threads run on in mapped code, and so would a call that came too late. */
        CHECK(push(stream, pixels, sizeof pixels, WIDTH, HEIGHT, 0, 0, 30, 0, 0) == RHEED_OK);
        CHECK(finalize(stream, -1) == RHEED_OK);
    }
    return 0;
}
