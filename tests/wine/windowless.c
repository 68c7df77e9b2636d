/* A program with windows and no console, as LabVIEW is: linked with -mwindows, and where texts for the user would go there is
   nothing, something that is no place at all, or a pipe that nobody reads. The library says all it can say there, and streams on. */
#include "../c/host.h"

enum { CHUNK = 20, FRAMES = 60 };

static void put_in_place_of_the_console(HANDLE place) {
    CHECK(SetStdHandle(STD_INPUT_HANDLE, place) && SetStdHandle(STD_OUTPUT_HANDLE, place) && SetStdHandle(STD_ERROR_HANDLE, place));
    CHECK(GetStdHandle(STD_ERROR_HANDLE) == place);
}

static HANDLE pipe_that_nobody_reads(void) {
    HANDLE reads, writes;
    CHECK(CreatePipe(&reads, &writes, NULL, 0) && CloseHandle(reads));
    return writes;
}

int main(int argc, char **argv) {
    FreeConsole(); /* The one of who started it, if any. */
    const HANDLE places[] = {NULL, INVALID_HANDLE_VALUE, pipe_that_nobody_reads()};
    for (int at = 0; at < 3; at++) {
        rheed_stream stream = 0, refused = 0;
        put_in_place_of_the_console(places[at]);
        stream = open_stream(argc, argv, "chunk_size = 20\nverbosity = 4\n");
        CHECK_CODE(rheed_init("nonsense", &refused, NULL, 0), RHEED_E_OPTION);
        for (uint64_t frame = 0; frame < FRAMES; frame++) {
            CHECK_CODE(push_numbered(stream, frame), RHEED_OK);
            if (frame % CHUNK == 5) CHECK_CODE(rheed_flush(stream, -1), RHEED_OK);
        }
        CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
        CHECK_CODE(rheed_free(stream), RHEED_OK);
    }
    return 0;
}
