/*
 * How fast a crystal grows, from the intensity of its specular spot, which oscillates once for each layer. For oscillation.c, and to copy:
 * plain C, which needs the library for nothing.
 *
 *     static growth spot;                                spot.slowest = 60.0; for layers that take up to so many seconds, else 7
 *     growth_note(&spot, seconds, mean);                 for each reading
 *     growth_rate rate = growth_measure(&spot);          whenever somebody looks
 *
 * Noise and drift are no oscillation: rate.seconds_a_layer is 0 then. It knows a layer when it has seen at least four, within a
 * window of 4.3 times the slowest, 30 s for 7; and when it takes at least a 35th of the slowest, 0.2 s.
 */
#ifndef GROWTH_RATE_H
#define GROWTH_RATE_H

#include <math.h>
#include <string.h>

enum { GROWTH_STEPS = 600 };
#define GROWTH_SLOWEST 7.0 /* Seconds a layer, if the caller says nothing else. */
#define GROWTH_BACK 1.0    /* Seconds: readings may be out of order by so much. Further back, a clock was set. */
#define GROWTH_ALIKE 0.5   /* A layer is one that is like another at least as much: its autocorrelation. */

typedef struct {
    double slowest;                 /* Seconds that a layer takes at most, 0: GROWTH_SLOWEST. Set before the first reading. */
    double intensity[GROWTH_STEPS]; /* A mean for each step, oldest first. */
    int steps;
    double sum; /* Of the readings in the step that is not over. */
    long long count, step, gap; /* Before that one: steps without any. */
} growth;

typedef struct {
    double seconds_a_layer; /* 0: nothing oscillates. */
    int layers;             /* Later ones that are like the first. */
    double alike;           /* At least so much, as autocorrelation: 1 would be the same. */
} growth_rate;

/* Four layers of the slowest and a little more are the window. */
static inline double growth_step(const growth *of) { return (of->slowest > 0.0 ? of->slowest : GROWTH_SLOWEST) / 140.0; }

static inline void growth_append(growth *of, double mean) {
    if (of->steps == GROWTH_STEPS) memmove(of->intensity, of->intensity + 1, (size_t)--of->steps * sizeof(double));
    of->intensity[of->steps++] = mean;
}

/* A reading, in the order of their times, however evenly they come: steps without any lie on the straight line between their
   neighbours. Leave out what is no reading of the spot, as of an incomplete frame; one that is not a number is left out. Where the
   time goes back, as when a clock was set, or on by more than the window, all is begun anew. */
static inline void growth_note(growth *of, double seconds, double mean) {
    if (isnan(mean) || !(fabs(seconds) < 1e15)) return;
    const growth anew = {of->slowest, {0.0}, 0, 0.0, 0, 0, 0};
    const long long step = (long long)floor(seconds / growth_step(of));
    if (of->count > 0 && (step - of->step > GROWTH_STEPS || of->step - step > (long long)ceil(GROWTH_BACK / growth_step(of)))) *of = anew;
    if (of->count > 0 && of->step < step) {
        const double now = of->sum / (double)of->count, before = of->steps > 0 ? of->intensity[of->steps - 1] : now;
        for (long long at = 1; at <= of->gap + 1; at++) growth_append(of, before + (now - before) * (double)at / (double)(of->gap + 1));
        of->gap = step - of->step - 1;
        of->count = 0, of->sum = 0.0;
    }
    if (of->count++ == 0) of->step = step;
    of->sum += mean;
}

/* What lasts longer than a third of the window is drift: the mean around each step is taken away. */
static inline void growth_detrend(const growth *of, double *wave) {
    const int reach = of->steps / 6;
    for (int at = 0; at < of->steps; at++) {
        const int from = at < reach ? 0 : at - reach, to = at + reach < of->steps ? at + reach : of->steps - 1;
        double sum = 0.0;
        for (int beside = from; beside <= to; beside++) sum += of->intensity[beside];
        wave[at] = of->intensity[at] - sum / (to - from + 1);
    }
}

/* How much a wave is like itself so many steps later: 1 the same, 0 not at all, -1 the opposite. */
static inline double growth_likeness(const double *wave, int steps, int later) {
    double both = 0.0, first = 1e-6, second = 1e-6;
    for (int at = 0; at + later < steps; at++) {
        both += wave[at] * wave[at + later];
        first += wave[at] * wave[at];
        second += wave[at + later] * wave[at + later];
    }
    return both / sqrt(first * second);
}

/* Between two numbers of steps, the one after which it is most alike; its fraction is that of a parabola's top. */
static inline double growth_top(const double *alike, int from, int to, double *how_much) {
    int best = from;
    for (int at = from; at <= to; at++) best = alike[at] > alike[best] ? at : best;
    const double before = alike[best - 1], after = alike[best + 1], bend = before - 2.0 * alike[best] + after;
    *how_much = alike[best];
    return best + (bend < 0.0 ? 0.5 * (before - after) / bend : 0.0);
}

/* Noise is never like itself later on. An oscillation is the opposite after half a layer and the same after a whole one; and also after
   two and more, by which the time that one takes is known the better. */
static inline growth_rate growth_measure(const growth *of) {
    const growth_rate none = {0.0, 0, 0.0};
    growth_rate rate = {0.0, 1, 0.0};
    double wave[GROWTH_STEPS], alike[GROWTH_STEPS / 2];
    const int most = of->steps / 2 - 2;
    int opposite = 1, same, end;
    growth_detrend(of, wave);
    for (int later = 0; later < of->steps / 2; later++) alike[later] = growth_likeness(wave, of->steps, later);
    while (opposite < most && alike[opposite] > -0.3) opposite++;
    for (same = opposite; same < most && alike[same] < GROWTH_ALIKE;) same++;
    for (end = same; end < most && alike[end] > 0.0;) end++;
    if (end >= most) return none;
    double layer = growth_top(alike, same, end, &rate.alike);
    while ((rate.layers + 1.25) * layer < most) {
        double how_much;
        const int from = (int)((rate.layers + 0.75) * layer), to = (int)((rate.layers + 1.25) * layer);
        const double top = growth_top(alike, from, to, &how_much);
        if (how_much < GROWTH_ALIKE) break;
        rate.layers++;
        rate.alike = fmin(rate.alike, how_much);
        layer = top / rate.layers;
    }
    rate.seconds_a_layer = layer * growth_step(of);
    return rate.layers < 2 ? none : rate;
}

#endif
