/*
 * A camera that is told where to write: each frame goes straight into the stream's memory, and is taken without a copy.
 *
 *     zero_copy FRAMES FPS [key=value ...]
 *
 * Each key=value becomes a line of the stream's options (docs/options.md). The camera is simulated: grey frames, each a shade
 * brighter than the one before. Ends with 0 when every frame that was taken has arrived; those that found the queue full are told.
 */
#define _POSIX_C_SOURCE 200809L
#include "rheed_stream.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WIDTH = 640, HEIGHT = 480, FRAME_BYTES = WIDTH * HEIGHT };

/* ---- What the vendor's SDK would bring ------------------------------------------------------------------------------- */

static struct {
    uint64_t frames;
    double fps;
    void *place; /* Where the next frame goes. */
    uint64_t without_place;
} camera;

static void frame_written(void *pixels, uint64_t frame_id, int is_complete);

static void camera_writes_to(void *pixels) {
    camera.place = pixels;
}

/* Waits until so many seconds after the start. */
static void wait_until(const struct timespec *start, double seconds) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const double left = seconds - (double)(now.tv_sec - start->tv_sec) - (double)(now.tv_nsec - start->tv_nsec) * 1e-9;
    const struct timespec pause = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
    if (left > 0) nanosleep(&pause, NULL);
}

static void *camera_thread(void *nothing) {
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (uint64_t frame_id = 0; frame_id < camera.frames; frame_id++) {
        wait_until(&start, (double)frame_id / camera.fps);
        void *const pixels = camera.place;
        camera.place = NULL;
        if (pixels == NULL) {
            camera.without_place++;
            continue;
        }
        memset(pixels, (int)(frame_id % 256), FRAME_BYTES);
        frame_written(pixels, frame_id, 1);
    }
    return nothing;
}

/* ---- What your program adds ------------------------------------------------------------------------------------------ */

static rheed_stream stream;

/* Called on the camera's thread, when the last byte of a frame has come. */
static void frame_written(void *pixels, uint64_t frame_id, int is_complete) {
    const uint32_t flags = is_complete ? 0 : RHEED_FRAME_INCOMPLETE;
    void *next = NULL;
    /* First the place for the next frame: a camera that has none stops. */
    if (rheed_acquire(stream, FRAME_BYTES, &next) != RHEED_OK) {
        camera_writes_to(pixels); /* No slot is free, which the stream counts, or it takes no more: this frame gives its place to the next. */
        return;
    }
    camera_writes_to(next);
    if (rheed_commit(stream, pixels, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO8, frame_id, 0, flags) != RHEED_OK) {
        rheed_discard(stream, pixels); /* A refused commit leaves the slot with you. */
    }
}

int main(int argc, char **argv) {
    char options[8192] = "", text[1024] = "the library is of another version";
    if (argc < 3 || (camera.frames = (uint64_t)atol(argv[1])) == 0 || !((camera.fps = atof(argv[2])) > 0.0)) {
        fprintf(stderr, "%s FRAMES FPS [key=value ...]\n", argv[0]);
        return 2;
    }
    /* frame_bytes: rheed_init prepares the slots, so that no frame waits for memory. */
    snprintf(options, sizeof options, "fps = %s\nframe_bytes = %d\n", argv[2], FRAME_BYTES);
    for (int at = 3; at < argc; at++) {
        const size_t used = strlen(options);
        snprintf(options + used, sizeof options - used, "%s\n", argv[at]);
    }
    if (rheed_abi() != RHEED_ABI || RHEED_FAILED(rheed_init(options, &stream, text, sizeof text))) {
        fprintf(stderr, "the stream does not open: %s\n", text);
        return 1;
    }
    void *first = NULL;
    if (rheed_acquire(stream, FRAME_BYTES, &first) != RHEED_OK) return 1;
    camera_writes_to(first);

    pthread_t thread;
    if (pthread_create(&thread, NULL, camera_thread, NULL) != 0) return 1;
    pthread_join(thread, NULL);
    rheed_discard(stream, camera.place); /* The camera is done: what it still has goes back. */

    const int32_t ended = rheed_finalize(stream, 60000);
    int64_t stats[RHEED_STAT_FPS_MILLI + 1] = {0};
    rheed_stats(stream, stats, RHEED_STAT_FPS_MILLI + 1, NULL);
    printf("%s: %lld frames taken, %lld confirmed, %lld dropped; the camera had no place for %lld\n", rheed_strerror(ended),
           (long long)stats[RHEED_STAT_FRAMES_ACCEPTED], (long long)stats[RHEED_STAT_FRAMES_CONFIRMED],
           (long long)stats[RHEED_STAT_FRAMES_DROPPED], (long long)camera.without_place);
    rheed_free(stream);
    return ended != RHEED_OK;
}
