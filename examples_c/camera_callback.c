/*
 * A camera that calls back, as most vendors' SDKs have it: the callback pushes, and main watches.
 *
 *     camera_callback [--seconds 10] [--fps 60] [--width 500] [--height 300] [key=value ...]
 *
 * Each key=value becomes a line of the stream's options (docs/options.md). The camera is simulated: a diffraction picture
 * whose specular spot oscillates while a crystal grows layer by layer. Ends with 0 when no frame was lost.
 */
#define _POSIX_C_SOURCE 200809L
#include "rheed_stream.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- What the vendor's SDK would bring ------------------------------------------------------------------------------- */

typedef struct {
    unsigned width, height;
    double fps, seconds;
    void (*on_frame)(void *user, const unsigned char *pixels, unsigned width, unsigned height, uint64_t frame_id);
    void *user;
} camera;

/* A spot of the given brightness (0 to 1) at a place given in parts of the picture. */
static void draw_spot(unsigned char *pixels, const camera *of, double x, double y, double brightness) {
    const double radius = 0.015 * of->width + 2.0, reach = 3.0 * radius, at_x = x * of->width, at_y = y * of->height;
    for (long row = (long)(at_y - reach); row <= (long)(at_y + reach); row++) {
        for (long column = (long)(at_x - reach); column <= (long)(at_x + reach); column++) {
            if (row < 0 || column < 0 || row >= (long)of->height || column >= (long)of->width) continue;
            const double away = ((row - at_y) * (row - at_y) + (column - at_x) * (column - at_x)) / (radius * radius);
            unsigned char *pixel = &pixels[(size_t)row * of->width + (size_t)column];
            const double value = *pixel + 220.0 * brightness * exp(-away);
            *pixel = (unsigned char)(value > 255.0 ? 255.0 : value);
        }
    }
}

static void draw_picture(unsigned char *pixels, const camera *of, double seconds, uint32_t *noise) {
    const size_t size = (size_t)of->width * of->height;
    const double growth_period = 2.0, decay = 60.0; /* One atomic layer in 2 s; the surface roughens within a minute. */
    const double layers = 2.0 * 3.14159265358979 * seconds / growth_period;
    const double specular = 0.6 + 0.4 * exp(-seconds / decay) * cos(layers);
    for (size_t at = 0; at < size; at++) {
        *noise = *noise * 1664525u + 1013904223u;
        pixels[at] = (unsigned char)(8u + (*noise >> 29)); /* A dark screen and the sensor's noise. */
    }
    draw_spot(pixels, of, 0.50, 0.65, specular);
    draw_spot(pixels, of, 0.32, 0.60, 0.45);
    draw_spot(pixels, of, 0.68, 0.60, 0.45);
    draw_spot(pixels, of, 0.50, 0.15, 0.90); /* The direct beam past the sample. */
}

/* Waits until so many seconds after the start. */
static void wait_until(const struct timespec *start, double seconds) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const double left = seconds - (double)(now.tv_sec - start->tv_sec) - (double)(now.tv_nsec - start->tv_nsec) * 1e-9;
    const struct timespec pause = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
    if (left > 0) nanosleep(&pause, NULL);
}

static void *camera_thread(void *argument) {
    const camera *of = (const camera *)argument;
    unsigned char *pixels = (unsigned char *)malloc((size_t)of->width * of->height);
    const uint64_t count = (uint64_t)(of->seconds * of->fps + 0.5);
    uint32_t noise = 1;
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (uint64_t index = 0; pixels != NULL && index < count; index++) {
        draw_picture(pixels, of, (double)index / of->fps, &noise);
        wait_until(&start, (double)index / of->fps);
        of->on_frame(of->user, pixels, of->width, of->height, index);
    }
    free(pixels);
    return NULL;
}

/* ---- What your program adds ------------------------------------------------------------------------------------------ */

/* Called on the camera's thread. Copies the frame and never waits; what finds no room is counted, so main can tell. */
static void on_frame(void *user, const unsigned char *pixels, unsigned width, unsigned height, uint64_t frame_id) {
    const rheed_stream stream = *(const rheed_stream *)user;
    rheed_push(stream, pixels, (uint64_t)width * height, width, height, 0, RHEED_FORMAT_MONO8, frame_id, 0, 0);
}

static void tell_events(rheed_stream stream, int32_t timeout_ms) {
    int32_t kind = RHEED_EVENT_NONE;
    char text[1024];
    while (rheed_next_event(stream, timeout_ms, &kind, NULL, NULL, text, sizeof text, NULL) >= 0 && kind != RHEED_EVENT_NONE) {
        printf("  event: %s\n", text);
        timeout_ms = 0;
    }
}

static int set_camera(camera *of, const char *name, double value) {
    if (strcmp(name, "--seconds") == 0) of->seconds = value;
    else if (strcmp(name, "--fps") == 0) of->fps = value;
    else if (strcmp(name, "--width") == 0) of->width = (unsigned)value;
    else if (strcmp(name, "--height") == 0) of->height = (unsigned)value;
    else return 0;
    return value > 0.0;
}

static int usage(const char *program) {
    fprintf(stderr, "%s [--seconds 10] [--fps 60] [--width 500] [--height 300] [key=value ...]\n", program);
    return 2;
}

int main(int argc, char **argv) {
    rheed_stream stream = 0;
    camera simulated = {500, 300, 60.0, 10.0, on_frame, &stream};
    char options[8192] = "", text[1024];
    for (int at = 1; at < argc; at++) {
        const size_t used = strlen(options);
        if (strncmp(argv[at], "--", 2) != 0) snprintf(options + used, sizeof options - used, "%s\n", argv[at]);
        else if (at + 1 == argc || !set_camera(&simulated, argv[at], atof(argv[at + 1]))) return usage(argv[0]);
        else at++;
    }
    snprintf(options + strlen(options), sizeof options - strlen(options), "fps = %g\n", simulated.fps);

    if (rheed_abi() != RHEED_ABI) {
        fprintf(stderr, "built for interface %d, but the library %s has %d\n", RHEED_ABI, rheed_version(), (int)rheed_abi());
        return 1;
    }
    if (RHEED_FAILED(rheed_init(options, &stream, text, sizeof text))) {
        fprintf(stderr, "the stream does not open: %s\n", text);
        return 1;
    }
    if (text[0] != '\0') printf("%s\n", text);

    pthread_t thread;
    if (pthread_create(&thread, NULL, camera_thread, &simulated) != 0) return 1;
    for (time_t end = time(NULL) + (time_t)simulated.seconds; time(NULL) < end;) {
        tell_events(stream, 1000);
        rheed_text(stream, RHEED_TEXT_STATUS, text, sizeof text, NULL);
        printf("%s\n", text);
        fflush(stdout);
    }
    pthread_join(thread, NULL); /* No callback after this: the stream can end. */

    const int32_t ended = rheed_finalize(stream, 60000);
    int64_t stats[RHEED_STAT_FPS_MILLI + 1] = {0};
    tell_events(stream, 0);
    rheed_stats(stream, stats, RHEED_STAT_FPS_MILLI + 1, NULL);
    printf("%s: %lld frames taken, %lld confirmed, %lld pending, %lld lost, %lld dropped, %lld rejected\n",
           rheed_strerror(ended), (long long)stats[RHEED_STAT_FRAMES_ACCEPTED], (long long)stats[RHEED_STAT_FRAMES_CONFIRMED],
           (long long)stats[RHEED_STAT_FRAMES_PENDING], (long long)stats[RHEED_STAT_FRAMES_LOST],
           (long long)stats[RHEED_STAT_FRAMES_DROPPED], (long long)stats[RHEED_STAT_FRAMES_REJECTED]);
    rheed_free(stream);
    const int64_t missing = stats[RHEED_STAT_FRAMES_LOST] + stats[RHEED_STAT_FRAMES_DROPPED] + stats[RHEED_STAT_FRAMES_REJECTED];
    return RHEED_FAILED(ended) || missing != 0;
}
