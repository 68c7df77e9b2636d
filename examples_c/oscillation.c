/*
 * The specular spot's intensity, live in the terminal, and how fast the crystal grows, from its period (growth_rate.h).
 *
 *     oscillation [--seconds 60] [--fps 60] [--period 2] [--noise 4] [--region X,Y,W,H]
 *                 [--file FILE --width W --height H --bits 8] [key=value ...]
 *
 * Simulated growth begins after 3 s, with --period seconds a layer (0: nothing grows) and --noise grey levels of flicker; or FILE holds
 * frames, as for replay_raw.c. Each key=value becomes a line of the stream's options (docs/options.md): endpoint=none needs no
 * network, pace=off plays as fast as it goes. Ends with 0 when no frame was lost.
 */
#define _POSIX_C_SOURCE 200809L
#include "rheed_stream.h"

#include "growth_rate.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct {
    double seconds, fps, period, noise, width, height, bits;
    FILE *file;
    unsigned char *pixels;
    int64_t begin_ns;
    rheed_stream stream;
} camera;

/* A spot in the middle, which darkens and brightens with each layer, less and less as the surface roughens. */
static void draw_picture(const camera *of, double time) {
    static uint32_t random = 1;
    const int width = (int)of->width, height = (int)of->height;
    const double grown = time > 3.0 ? time - 3.0 : 0.0, radius = of->height / 40.0;
    const double wave = of->period > 0.0 ? 60.0 * exp(-grown / 40.0) * cos(6.283185307 * grown / of->period) : 0.0;
    random = random * 1664525u + 1013904223u;
    const double brightness = 120.0 + wave + of->noise * ((random >> 8) / 8388608.0 - 1.0);
    for (int at = 0; at < width * height; at++) {
        const double x = (at % width - width / 2) / radius, y = (at / width - height / 2) / radius, away = x * x + y * y;
        const double value = 8.0 + (away < 16.0 ? brightness * exp(-away) : 0.0);
        of->pixels[at] = (unsigned char)fmin(fmax(value, 0.0), 255.0);
    }
}

/* The next frame, when it is due: 1 there was one, 0 it was the last before. */
static int32_t RHEED_CALL next_frame(void *user, rheed_stream stream, uint64_t index) {
    const camera *const of = (const camera *)user;
    const size_t bytes = (size_t)of->width * (size_t)of->height * (of->bits > 8.0 ? 2 : 1);
    const uint32_t format = of->bits > 8.0 ? RHEED_FORMAT_MONO16 : RHEED_FORMAT_MONO8;
    const double time = (double)index / of->fps;
    if (time >= of->seconds || (of->file != NULL && fread(of->pixels, 1, bytes, of->file) < bytes)) return 0;
    if (of->file == NULL) draw_picture(of, time);
    rheed_push(stream, of->pixels, bytes, (uint32_t)of->width, (uint32_t)of->height, 0, format, index,
               of->begin_ns + (int64_t)(time * 1e9), 0);
    return 1;
}

static void *camera_thread(void *argument) {
    const rheed_stream stream = ((camera *)argument)->stream;
    rheed_run(stream, next_frame, argument);
    rheed_finalize(stream, 0); /* No more frames: main sees it. */
    return NULL;
}

/* ---- What your program adds ------------------------------------------------------------------------------------------ */

/* A line of a chart that scrolls; so it works in a pipe, too. */
static void show(const growth *spot, double time) {
    double low = 255.0, high = 0.0;
    for (int at = 0; at < spot->steps; at++) low = fmin(low, spot->intensity[at]), high = fmax(high, spot->intensity[at]);
    const double now = spot->intensity[spot->steps - 1];
    const int bar = (int)(32.0 * (now - low) / fmax(high - low, 8.0)); /* What only flickers does not fill it. */
    const growth_rate rate = growth_measure(spot);
    printf("%7.1f s %6.1f |%-32.*s| ", time, now, bar, "################################");
    if (rate.seconds_a_layer == 0.0) printf("no oscillation\n");
    else printf("%.3f ML/s, %.3f s/ML: %d layers alike to %.0f %%\n", 1.0 / rate.seconds_a_layer, rate.seconds_a_layer, rate.layers,
                100.0 * rate.alike);
    fflush(stdout);
}

/* Reads region 0 a few times a second, until the camera has ended and all is read. */
static void watch(rheed_stream stream, int64_t begin_ns) {
    enum { CAPACITY = 1000 };
    static growth spot;
    static int64_t times_ns[CAPACITY];
    static double means[CAPACITY];
    uint64_t position = 0;
    for (int is_over = 0; !is_over;) {
        const struct timespec pause = {0, 125000000};
        int64_t state = 0, missed = 0;
        int32_t count = CAPACITY;
        double time = 0.0;
        nanosleep(&pause, NULL);
        is_over = rheed_stats(stream, &state, 1, NULL) != RHEED_OK || state >= RHEED_STATE_FINALIZING;
        while (count == CAPACITY) {
            if (rheed_region_read(stream, 0, &position, times_ns, NULL, means, NULL, NULL, CAPACITY, &count, &missed) != RHEED_OK) return;
            if (missed > 0) printf("%lld readings missed\n", (long long)missed);
            for (int32_t at = 0; at < count; at++) growth_note(&spot, time = (double)(times_ns[at] - begin_ns) * 1e-9, means[at]);
        }
        if (spot.steps > 0 && time > 0.0) show(&spot, time);
        else if (time > 0.0) printf("no reading: does the region lie in the frames?\n");
    }
}

static int set(camera *of, unsigned *region, const char *name, const char *value) {
    const char *const names[] = {"--seconds", "--fps", "--period", "--noise", "--width", "--height", "--bits"};
    double *const places[] = {&of->seconds, &of->fps, &of->period, &of->noise, &of->width, &of->height, &of->bits};
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        if (strcmp(name, names[at]) == 0) return (*places[at] = atof(value)) >= 0.0;
    }
    if (strcmp(name, "--file") == 0) return (of->file = fopen(value, "rb")) != NULL;
    return strcmp(name, "--region") == 0 && sscanf(value, "%u,%u,%u,%u", region, region + 1, region + 2, region + 3) == 4;
}

int main(int argc, char **argv) {
    camera of = {60.0, 60.0, 2.0, 4.0, 320.0, 240.0, 8.0, NULL, NULL, (int64_t)time(NULL) * 1000000000, 0};
    unsigned region[4] = {0, 0, 0, 0};
    char options[8192] = "", text[1024];
    for (int at = 1; at < argc; at++) {
        const size_t used = strlen(options);
        if (strncmp(argv[at], "--", 2) != 0) snprintf(options + used, sizeof options - used, "%s\n", argv[at]);
        else if (at + 1 == argc || !set(&of, region, argv[at], argv[at + 1])) return fprintf(stderr, "%s: see above\n", argv[at]), 2;
        else at++;
    }
    snprintf(options + strlen(options), sizeof options - strlen(options), "fps = %g\n", of.fps);
    of.pixels = (unsigned char *)malloc((size_t)of.width * (size_t)of.height * 2);
    if (rheed_abi() != RHEED_ABI || of.pixels == NULL || RHEED_FAILED(rheed_init(options, &of.stream, text, sizeof text))) {
        fprintf(stderr, "the stream does not open: %s\n", text);
        return 1;
    }
    const unsigned side = region[2] == 0 ? (unsigned)of.height / 10 : 0; /* Around the middle, if nothing else was said. */
    if (side != 0) region[0] = ((unsigned)of.width - side) / 2, region[1] = ((unsigned)of.height - side) / 2, region[2] = region[3] = side;

    pthread_t thread;
    int32_t ended = rheed_region_set(of.stream, 0, region[0], region[1], region[2], region[3]);
    if (ended == RHEED_OK && pthread_create(&thread, NULL, camera_thread, &of) == 0) {
        watch(of.stream, of.begin_ns);
        pthread_join(thread, NULL);
        ended = rheed_finalize(of.stream, 60000);
    }
    rheed_text(of.stream, ended < 0 ? RHEED_TEXT_LAST_ERROR : RHEED_TEXT_STATUS, text, sizeof text, NULL);
    printf("%s: %s\n", rheed_strerror(ended), text);
    rheed_free(of.stream);
    free(of.pixels);
    return ended != RHEED_OK;
}
