/* Somebody has the file of each sealed chunk open, in a way that lets it be removed, and closes it half a second after all were: so
   long its name is there, on many disks. The stream ends when the names are gone, too. For Windows. */
#include "host.h"

enum { FRAMES = 50, CHUNKS = 3, KEPT_MS = 500 };

static rheed_stream stream;
static char pattern[4096];
static int folder_length, caught;
static char names[CHUNKS][MAX_PATH];
static HANDLE files[CHUNKS];

static void hold(const char *name) {
    char path[4096];
    for (int at = 0; at < caught; at++) {
        if (strcmp(names[at], name) == 0) return;
    }
    CHECK(caught < CHUNKS);
    snprintf(path, sizeof path, "%.*s%s", folder_length, pattern, name);
    const DWORD shared = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    files[caught] = CreateFileA(path, GENERIC_READ, shared, NULL, OPEN_EXISTING, 0, NULL);
    if (files[caught] != INVALID_HANDLE_VALUE) strcpy(names[caught++], name);
}

static DWORD WINAPI watch(void *unused) {
    (void)unused;
    while (stat_of(stream, RHEED_STAT_FRAMES_CONFIRMED) < FRAMES) {
        WIN32_FIND_DATAA entry;
        const HANDLE list = FindFirstFileA(pattern, &entry);
        if (list != INVALID_HANDLE_VALUE) {
            do hold(entry.cFileName);
            while (FindNextFileA(list, &entry));
            FindClose(list);
        }
        Sleep(5);
    }
    Sleep(KEPT_MS);
    for (int at = 0; at < caught; at++) CloseHandle(files[at]);
    return 0;
}

int main(int argc, char **argv) {
    char spool[1024], id[64];
    stream = open_stream(argc, argv, "chunk_size = 20\n");
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_SPOOL_DIR, spool, sizeof spool, NULL), RHEED_OK);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_LOCAL_ID, id, sizeof id, NULL), RHEED_OK);
    folder_length = snprintf(pattern, sizeof pattern, "%s\\streams\\%s\\*.shard", spool, id) - (int)strlen("*.shard");
    const HANDLE watcher = CreateThread(NULL, 0, watch, NULL, 0, NULL);
    CHECK(watcher != NULL);
    for (uint64_t at = 0; at < FRAMES; at++) CHECK_CODE(push_numbered(stream, at), RHEED_OK);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK(WaitForSingleObject(watcher, INFINITE) == WAIT_OBJECT_0);
    CHECK(caught == CHUNKS);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    CHECK_CODE(rheed_shutdown(-1), RHEED_OK);
    return 0;
}
