/* tests/sim/history_menu.h: what may become of one request of a writer. */
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

/* So long until the last moment at which the server accepts it; and the server takes all the time
 * that it may. */
void menu_move_to_the_end(const s3s_sim *sim, const s3store_target *target,
                          const faulty_request *r, int64_t past_end_us, faulty_fate *fate);

/* The first is "done". */
extern const menu_option history_menu[];
extern const size_t history_menu_size;

#endif
