/* stream/gate.h: which commit markers exist, asked once per call. Private to stream/.
 *
 * The gate of the stream: a ref counts when the marker of its (partition, token) is there and
 * names the attempt of the ref. Absence is never kept from one call to the next, so a gate lives
 * for one call. */
#ifndef S3S_STREAM_GATE_H
#define S3S_STREAM_GATE_H

#include "dataset/target.h"

typedef enum s3s_gate_state {
    S3S_GATE_UNKNOWN = 0,
    S3S_GATE_ABSENT,
    S3S_GATE_PRESENT,
    S3S_GATE_DAMAGED,
} s3s_gate_state;

/* One (partition, token). */
typedef struct s3s_gate_slot {
    const char *partition;
    const char *token;
    s3s_gate_state state;
    char attempt[S3S_ATTEMPT_ID_SIZE + 1]; /* PRESENT */
    int64_t row_count;                     /* PRESENT */
    s3store_error *damage;                 /* DAMAGED */
} s3s_gate_slot;

typedef struct s3s_gate {
    s3store_target *target;
    const s3store_call *call;
    s3s_arena arena;
    s3s_gate_slot **table; /* open addressing, a power of two */
    size_t capacity, count;
} s3s_gate;

void s3s_gate_init(s3s_gate *gate, s3store_target *target, const s3store_call *call);
void s3s_gate_deinit(s3s_gate *gate);

/* The slot of a commit, new or known. */
s3store_status s3s_gate_slot_of(s3s_gate *gate, const char *partition, const char *token,
                                s3s_gate_slot **out, s3store_error *err);
/* Sends the HEADs of those slots that are UNKNOWN, side by side; slots may repeat. Any failure but
 * absence and damage fails. */
s3store_status s3s_gate_settle(s3s_gate *gate, s3s_gate_slot *const *slots, size_t count,
                               s3store_error *err);

#endif
