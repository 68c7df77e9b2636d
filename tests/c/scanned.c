/* A virus scanner looks into each file of the spool as soon as it is there, and holds it for a while: one time in a way that lets
   nobody rename or remove it meanwhile, another time in one that keeps its name there after it was removed. Who makes backups holds
   the folders, too. Every frame is taken all the same, and each arrives. For Windows. The first argument is the
   spool's folder. */
#include "host.h"

#include <windows.h>

enum { FRAMES = 200, HELD_MS = 400, MOST = 64 };

static char spool[MAX_PATH];
static volatile LONG is_over, found, refused;

/* What is held, and until when. */
static struct {
    HANDLE file;
    ULONGLONG until;
} held[MOST];

static void let_go(int all) {
    for (int at = 0; at < MOST; at++) {
        if (held[at].file != NULL && (all || GetTickCount64() >= held[at].until)) {
            CloseHandle(held[at].file);
            held[at].file = NULL;
        }
    }
}

static void hold(const char *path, DWORD flags) {
    static int looks;
    DWORD shared = FILE_SHARE_READ;
    if (flags == 0) shared |= FILE_SHARE_WRITE | (looks++ % 2 == 0 ? FILE_SHARE_DELETE : 0);
    for (int at = 0; at < MOST; at++) {
        if (held[at].file != NULL) continue;
        const HANDLE file = CreateFileA(path, GENERIC_READ, shared, NULL, OPEN_EXISTING, flags, NULL);
        if (file == INVALID_HANDLE_VALUE) {
            InterlockedIncrement(&refused); /* It is open for somebody who wants to rename it: not for the scanner then. */
            return;
        }
        held[at].file = file;
        held[at].until = GetTickCount64() + HELD_MS;
        InterlockedIncrement(&found);
        return;
    }
}

/* Files of a folder and of those in it; those that it has seen it sees again, as a scanner does which is told of every change. */
static void look_into(const char *folder) {
    char path[2 * MAX_PATH];
    WIN32_FIND_DATAA entry;
    snprintf(path, sizeof path, "%s\\*", folder);
    const HANDLE list = FindFirstFileA(path, &entry);
    if (list == INVALID_HANDLE_VALUE) return;
    do {
        snprintf(path, sizeof path, "%s\\%s", folder, entry.cFileName);
        if (strcmp(entry.cFileName, ".") == 0 || strcmp(entry.cFileName, "..") == 0) continue;
        if (entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) {
            look_into(path);
            hold(path, FILE_FLAG_BACKUP_SEMANTICS);
        } else {
            hold(path, 0);
        }
    } while (FindNextFileA(list, &entry));
    FindClose(list);
}

static DWORD WINAPI scan(void *unused) {
    (void)unused;
    for (int round = 0; !is_over; round++) {
        let_go(0);
        if (round % 50 == 0) look_into(spool); /* Else everything would be held all the time. */
        Sleep(20);
    }
    let_go(1);
    return 0;
}

int main(int argc, char **argv) {
    CHECK(argc > 2);
    snprintf(spool, sizeof spool, "%s", argv[1]);
    const HANDLE scanner = CreateThread(NULL, 0, scan, NULL, 0, NULL);
    CHECK(scanner != NULL);
    const rheed_stream stream = open_stream(argc - 1, argv + 1, "chunk_size = 20\n");
    for (uint64_t at = 0; at < FRAMES; at++) {
        CHECK_CODE(push_numbered(stream, at), RHEED_OK);
        Sleep(25);
    }
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_CONFIRMED) == FRAMES);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    CHECK_CODE(rheed_shutdown(-1), RHEED_OK);
    is_over = 1;
    CHECK(WaitForSingleObject(scanner, INFINITE) == WAIT_OBJECT_0);
    printf("%ld files held, %ld refused\n", found, refused);
    return 0;
}
