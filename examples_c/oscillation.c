/*
 * The specular spot's intensity, live in the terminal, and how fast the crystal grows, from its period (growth_rate.h). It needs
 * both headers beside it; spot_camera.h stands for your camera.
 *
 *     oscillation [--slowest 7] [--region X,Y,W,H] [--seconds 60] [--fps 60] [--period 2] [--noise 4] [--torn 0]
 *                 [--file FILE --width W --height H --bits 8] [key=value ...]
 *
 * The rate is found of layers that take up to --slowest seconds, as soon as four have grown. Simulated growth begins after 3 s, with
 * --period seconds a layer (0: nothing grows), --noise grey levels of flicker, and --torn percent of incomplete frames; or FILE holds
 * frames, as for replay_raw.c. Each key=value becomes a line of the stream's options (docs/options.md): endpoint=none needs no
 * network, pace=off plays as fast as it goes. Ends with 0 when no frame was refused or lost.
 */
#define _POSIX_C_SOURCE 200809L
#include "rheed_stream.h"

#include "growth_rate.h"
#include "spot_camera.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double slowest = GROWTH_SLOWEST;

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

/* Reads region 0 a few times a second, until the camera has ended and all is read. Incomplete frames show something else. */
static void watch(rheed_stream stream, int64_t begin_ns) {
    enum { CAPACITY = 1000 };
    static growth spot;
    static int64_t times_ns[CAPACITY];
    static uint32_t flags[CAPACITY];
    static double means[CAPACITY];
    uint64_t position = 0;
    long left_out = 0;
    spot.slowest = slowest;
    for (int is_over = 0; !is_over;) {
        const struct timespec pause = {0, 125000000};
        int64_t state = 0, missed = 0;
        int32_t count = CAPACITY;
        double time = 0.0;
        nanosleep(&pause, NULL);
        is_over = rheed_stats(stream, &state, 1, NULL) != RHEED_OK || state >= RHEED_STATE_FINALIZING;
        while (count == CAPACITY) {
            if (rheed_region_read(stream, 0, &position, times_ns, NULL, flags, means, NULL, NULL, CAPACITY, &count, &missed) != RHEED_OK)
                return;
            if (missed > 0) printf("%lld readings missed\n", (long long)missed);
            for (int32_t at = 0; at < count; at++) {
                time = (double)(times_ns[at] - begin_ns) * 1e-9;
                if ((flags[at] & RHEED_FRAME_INCOMPLETE) == 0) growth_note(&spot, time, means[at]);
                else left_out++;
            }
        }
        if (spot.steps > 0 && time > 0.0) show(&spot, time);
        else if (time > 0.0) printf("no reading: does the region lie in the frames?\n");
    }
    if (left_out > 0) printf("%ld incomplete frames are left out\n", left_out);
}

static int set(camera *of, unsigned *region, const char *name, const char *value) {
    const char *const names[] = {"--slowest", "--seconds", "--fps", "--period", "--noise", "--torn", "--width", "--height", "--bits"};
    double *const places[] = {&slowest,  &of->seconds, &of->fps,    &of->period, &of->noise,
                              &of->torn, &of->width,   &of->height, &of->bits};
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        if (strcmp(name, names[at]) == 0) return (*places[at] = atof(value)) >= 0.0;
    }
    if (strcmp(name, "--file") == 0) return (of->file = fopen(value, "rb")) != NULL;
    return strcmp(name, "--region") == 0 && sscanf(value, "%u,%u,%u,%u", region, region + 1, region + 2, region + 3) == 4;
}

int main(int argc, char **argv) {
    camera of = {60.0, 60.0, 2.0, 4.0, 0.0, 320.0, 240.0, 8.0, NULL, NULL, (int64_t)time(NULL) * 1000000000, 0, 0};
    unsigned region[4] = {0, 0, 0, 0};
    char options[8192] = "", text[1024] = "it is of another version, or memory is short";
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
    const unsigned side = region[2] != 0 ? 0 : of.height < 20.0 ? 1 : (unsigned)of.height / 10; /* Around the middle, if nothing else was said. */
    if (side != 0) region[0] = ((unsigned)of.width - side) / 2, region[1] = ((unsigned)of.height - side) / 2, region[2] = region[3] = side;

    pthread_t thread;
    int32_t ended = rheed_region_set(of.stream, 0, region[0], region[1], region[2], region[3]);
    const int films = ended == RHEED_OK && pthread_create(&thread, NULL, camera_thread, &of) == 0;
    if (films) {
        watch(of.stream, of.begin_ns);
        pthread_join(thread, NULL);
        ended = rheed_finalize(of.stream, 60000);
    }
    rheed_text(of.stream, ended < 0 ? RHEED_TEXT_LAST_ERROR : RHEED_TEXT_STATUS, text, sizeof text, NULL);
    if (of.refused != 0) fprintf(stderr, "%ld refused in all\n", of.refused);
    printf("%s: %s\n", rheed_strerror(ended), text);
    rheed_free(of.stream);
    free(of.pixels);
    return !films || ended != RHEED_OK || of.refused != 0;
}
