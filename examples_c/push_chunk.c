/*
 * Whole chunks under the caller's own numbers: the guide's loop, push(data_id, chunk_idx, frames).
 *
 *     push_chunk CHUNKS [key=value ...]
 *
 * For programs that already collect frames, or that send what was recorded before. Chunks may come in any order and from
 * several threads. Each key=value becomes a line of the stream's options (docs/options.md).
 */
#define _POSIX_C_SOURCE 200809L
#include "rheed_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WIDTH = 320, HEIGHT = 240, FPS = 30, CHUNK_SIZE = 60 };

/* A recorded frame: a streak on a dark screen, whose brightness tells the frame's number. */
static void record_frame(unsigned char *pixels, uint64_t number) {
    memset(pixels, 6, (size_t)WIDTH * HEIGHT);
    for (int row = HEIGHT / 4; row < 3 * HEIGHT / 4; row++) {
        memset(pixels + row * WIDTH + WIDTH / 2 - 4, 64 + (int)(number % 128), 8);
    }
}

int main(int argc, char **argv) {
    const uint64_t chunks = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    char options[8192], text[1024];
    if (chunks == 0) {
        fprintf(stderr, "push_chunk CHUNKS [key=value ...]\n");
        return 2;
    }
    if (rheed_abi() != RHEED_ABI) {
        fprintf(stderr, "built for interface %d, but the library %s has %d\n", RHEED_ABI, rheed_version(), (int)rheed_abi());
        return 1;
    }
    snprintf(options, sizeof options, "fps = %d\nchunk_size = %d\n", FPS, CHUNK_SIZE);
    for (int at = 2; at < argc; at++) {
        const size_t used = strlen(options);
        snprintf(options + used, sizeof options - used, "%s\n", argv[at]);
    }

    rheed_stream stream = 0;
    if (RHEED_FAILED(rheed_init(options, &stream, text, sizeof text))) {
        fprintf(stderr, "the stream does not open: %s\n", text);
        return 1;
    }
    if (text[0] != '\0') printf("%s\n", text);
    rheed_text(stream, RHEED_TEXT_DATA_ID, text, sizeof text, NULL);
    printf("data id: %s\n", text);

    const size_t frame_bytes = (size_t)WIDTH * HEIGHT, chunk_bytes = frame_bytes * CHUNK_SIZE;
    unsigned char *frames = (unsigned char *)malloc(chunk_bytes);
    if (frames == NULL) return 1;

    /* The recording ended just now: its first frame is as old as it is long. A live program gives 0 as start_ns instead. */
    const int64_t chunk_ns = (int64_t)CHUNK_SIZE * 1000000000 / FPS;
    const int64_t start_ns = ((int64_t)time(NULL)) * 1000000000 - (int64_t)chunks * chunk_ns;
    int32_t pushed = RHEED_OK;
    for (uint64_t chunk_idx = 0; chunk_idx < chunks && !RHEED_FAILED(pushed); chunk_idx++) {
        for (uint64_t index = 0; index < CHUNK_SIZE; index++) {
            record_frame(frames + index * frame_bytes, chunk_idx * CHUNK_SIZE + index);
        }
        pushed = rheed_push_chunk(stream, chunk_idx, frames, chunk_bytes, CHUNK_SIZE, WIDTH, HEIGHT, RHEED_FORMAT_MONO8,
                                  start_ns + (int64_t)chunk_idx * chunk_ns);
    }
    free(frames);
    if (RHEED_FAILED(pushed)) {
        rheed_text(stream, RHEED_TEXT_LAST_ERROR, text, sizeof text, NULL);
        fprintf(stderr, "a chunk was not taken: %s\n", text);
    }

    const int32_t ended = rheed_finalize(stream, -1);
    rheed_text(stream, RHEED_TEXT_STATUS, text, sizeof text, NULL);
    printf("%s: %s\n", rheed_strerror(ended), text);
    rheed_free(stream);
    return RHEED_FAILED(pushed) || ended != RHEED_OK;
}
