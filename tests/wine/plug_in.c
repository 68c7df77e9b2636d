/* A plug-in that ends its stream and the library where many do: when it is unloaded itself, in a destructor or in DllMain. Windows
   lets no thread end or begin meanwhile; and at the end of the process all others are gone. */
#include "../c/host.h"

static rheed_stream stream;
static int in_dll_main;
static int32_t timeout_ms;

/* Not exit, inside of which this runs. */
#define DEMAND(call, expected)                                                                                       \
    do {                                                                                                             \
        const int32_t got_ = (call);                                                                                 \
        if (got_ != (expected)) {                                                                                    \
            fprintf(stderr, "%s:%d: %s answers %d (%s)\n", __FILE__, __LINE__, #call, (int)got_, rheed_strerror(got_)); \
            TerminateProcess(GetCurrentProcess(), 1);                                                                \
        }                                                                                                            \
    } while (0)

static void leave(int process_ends) {
    const int32_t expected = process_ends ? RHEED_E_ABORTED : RHEED_OK;
    DEMAND(rheed_finalize(stream, timeout_ms), expected);
    DEMAND(rheed_free(stream), expected);
    DEMAND(rheed_shutdown(timeout_ms), expected);
}

static int process_ends;

__attribute__((destructor)) static void destroy(void) {
    if (stream != 0 && !in_dll_main) leave(process_ends);
}

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, LPVOID reserved) {
    (void)module;
    if (reason == DLL_PROCESS_DETACH) {
        process_ends = reserved != NULL;
        if (stream != 0 && in_dll_main) leave(process_ends);
    }
    return TRUE;
}

/* The first arguments say where it ends, and how long it may wait there. */
__declspec(dllexport) void begin(int argc, char **argv) {
    CHECK(argc > 2);
    in_dll_main = strcmp(argv[1], "in-dll-main") == 0;
    timeout_ms = atoi(argv[2]);
    stream = open_stream(argc - 2, argv + 2, "chunk_size = 20\n");
    for (uint64_t at = 0; at < 50; at++) CHECK_CODE(push_numbered(stream, at), RHEED_OK);
    CHECK_CODE(rheed_flush(stream, -1), RHEED_OK);
}
