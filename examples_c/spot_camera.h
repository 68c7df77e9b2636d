/*
 * The camera of oscillation.c: simulated growth, or a file of frames, at their pace (rheed_run).
 */
#ifndef SPOT_CAMERA_H
#define SPOT_CAMERA_H

#include "rheed_stream.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    double seconds, fps, period, noise, torn, width, height, bits;
    FILE *file;
    unsigned char *pixels;
    int64_t begin_ns;
    rheed_stream stream;
    long refused;
} camera;

/* A spot in the middle, which darkens and brightens with each layer, less and less as the surface roughens. */
static void draw_picture(const camera *of, double time) {
    static uint32_t random = 1;
    const int width = (int)of->width, height = (int)of->height;
    const double grown = time > 3.0 ? time - 3.0 : 0.0, radius = of->height / 40.0;
    const double wave = of->period > 0.0 ? 60.0 * exp(-grown / of->period / 20.0) * cos(6.283185307 * grown / of->period) : 0.0;
    random = random * 1664525u + 1013904223u;
    const double brightness = 120.0 + wave + of->noise * ((random >> 8) / 8388608.0 - 1.0);
    for (int at = 0; at < width * height; at++) {
        const double x = (at % width - width / 2) / radius, y = (at / width - height / 2) / radius, away = x * x + y * y;
        const double value = 8.0 + (away < 16.0 ? brightness * exp(-away) : 0.0);
        of->pixels[at] = (unsigned char)fmin(fmax(value, 0.0), 255.0);
    }
}

/* The next frame, when it is due: 1 there was one, 0 it was the last before, or the code with which it was refused for good. */
static int32_t RHEED_CALL next_frame(void *user, rheed_stream stream, uint64_t index) {
    camera *const of = (camera *)user;
    const size_t bytes = (size_t)of->width * (size_t)of->height * (of->bits > 8.0 ? 2 : 1);
    const uint32_t format = of->bits > 8.0 ? RHEED_FORMAT_MONO16 : RHEED_FORMAT_MONO8;
    const double time = (double)index / of->fps;
    if (time >= of->seconds || (of->file != NULL && fread(of->pixels, 1, bytes, of->file) < bytes)) return 0;
    if (of->file == NULL) draw_picture(of, time);
    const int torn = (double)(index * 37 % 100) < of->torn; /* The last packets are missing, and what they hold stays dark. */
    if (torn) memset(of->pixels + bytes / 2, 0, bytes - bytes / 2);
    const int32_t code = rheed_push(stream, of->pixels, bytes, (uint32_t)of->width, (uint32_t)of->height, 0, format, index,
                                    of->begin_ns + (int64_t)(time * 1e9), torn ? RHEED_FRAME_INCOMPLETE : 0);
    if (RHEED_FAILED(code) && of->refused++ == 0) {
        char text[1024] = "";
        rheed_text(stream, RHEED_TEXT_LAST_ERROR, text, sizeof text, NULL);
        fprintf(stderr, "a frame was refused: %s\n", text);
    }
    return RHEED_FAILED(code) && code != RHEED_E_DISK_FULL ? code : 1;
}

static void *camera_thread(void *argument) {
    const rheed_stream stream = ((camera *)argument)->stream;
    rheed_run(stream, next_frame, argument);
    rheed_finalize(stream, 0); /* No more frames: main sees it. */
    return NULL;
}

#endif
