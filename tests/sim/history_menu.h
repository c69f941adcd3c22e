/* tests/sim/history_menu.h: what may become of one request of a writer. Private to history*.c. */
#ifndef S3S_TESTS_SIM_HISTORY_MENU_H
#define S3S_TESTS_SIM_HISTORY_MENU_H

#include "sim/history.h"

#define AFTER_THE_FENCE_US (20 * SECOND)

typedef struct menu_option {
    const char *name;
    unsigned group; /* MENU_...; 0: always */
    faulty_fate fate;
    int64_t lasting_us; /* also of the requests of its verb and kind in the next seconds */
    bool everything;    /* lasting: whatever the request */
    bool puts_only;
    bool fenced_only;
    bool crash_before, cancel_before, cancel_after;
    int64_t past_end_us; /* fenced_only: it arrives so long after the last valid moment */
} menu_option;

/* The first is "done". */
extern const menu_option history_menu[];
extern const size_t history_menu_size;

#endif
