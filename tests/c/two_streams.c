/* Two streams at once, each with its own camera thread, frame size and rate: neither sees anything of the other. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <pthread.h>

typedef struct {
    rheed_stream stream;
    uint32_t width, height;
    int frames;
} camera;

static void *push_all(void *argument) {
    camera *of = (camera *)argument;
    const uint64_t size = (uint64_t)of->width * of->height;
    unsigned char *pixels = (unsigned char *)malloc(size);
    CHECK(pixels != NULL);
    for (int at = 0; at < of->frames; at++) {
        memset(pixels, at, size);
        CHECK_CODE(rheed_push(of->stream, pixels, size, of->width, of->height, 0, 0, (uint64_t)at, 0, 0), RHEED_OK);
    }
    free(pixels);
    return NULL;
}

int main(int argc, char **argv) {
    camera cameras[2] = {{0, 64, 48, 90}, {0, 37, 11, 45}};
    pthread_t threads[2];
    char ids[2][1024];
    cameras[0].stream = open_stream(argc, argv, "chunk_size = 40\n");
    cameras[1].stream = open_stream(argc, argv, "chunk_size = 20\n");
    for (int at = 0; at < 2; at++) {
        CHECK_CODE(rheed_text(cameras[at].stream, RHEED_TEXT_LOCAL_ID, ids[at], sizeof ids[at], NULL), RHEED_OK);
        CHECK(pthread_create(&threads[at], NULL, push_all, &cameras[at]) == 0);
    }
    CHECK(strcmp(ids[0], ids[1]) != 0);
    for (int at = 0; at < 2; at++) CHECK(pthread_join(threads[at], NULL) == 0);

    /* The end of one leaves the other open. */
    CHECK_CODE(rheed_finalize(cameras[1].stream, -1), RHEED_OK);
    CHECK_CODE(rheed_free(cameras[1].stream), RHEED_OK);
    push_all(&cameras[0]);
    CHECK(stat_of(cameras[0].stream, RHEED_STAT_FRAMES_ACCEPTED) == 180);
    CHECK(stat_of(cameras[0].stream, RHEED_STAT_BYTES_RAW) == 180 * 64 * 48);
    CHECK_CODE(rheed_finalize(cameras[0].stream, -1), RHEED_OK);
    CHECK(stat_of(cameras[0].stream, RHEED_STAT_CHUNKS_SEALED) == 5);
    CHECK_CODE(rheed_free(cameras[0].stream), RHEED_OK);
    return 0;
}
