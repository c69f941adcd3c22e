#include "stream/gate.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "metrics/metrics.h"

void s3s_gate_init(s3s_gate *gate, s3store_target *target, const s3store_call *call)
{
    *gate = (s3s_gate){.target = target, .call = call};
    s3s_arena_init(&gate->arena, target->env);
}

void s3s_gate_deinit(s3s_gate *gate)
{
    s3s_free(gate->target->env, gate->table);
    gate->table = NULL;
    s3s_arena_deinit(&gate->arena);
}

/* The two texts are hashed apart: "a:b" with "c" is not "a" with "b:c" (W4). */
static uint64_t hash_pair(const char *partition, const char *token)
{
    return s3s_xxh64(token, strlen(token), s3s_xxh64(partition, strlen(partition), 0));
}

static s3s_gate_slot **find_place(s3s_gate_slot **table, size_t capacity, const char *partition,
                                  const char *token)
{
    size_t at = (size_t)hash_pair(partition, token) & (capacity - 1);
    while (table[at] != NULL && (strcmp(table[at]->token, token) != 0 ||
                                 strcmp(table[at]->partition, partition) != 0))
        at = (at + 1) & (capacity - 1);
    return &table[at];
}

static s3store_status grow_table(s3s_gate *gate, s3store_error *err)
{
    size_t capacity = gate->capacity == 0 ? 64 : gate->capacity * 2;
    s3s_gate_slot **table = s3s_calloc(gate->target->env, capacity, sizeof *table);
    if (table == NULL)
        return s3s_fail_memory(err, capacity * sizeof *table);
    for (size_t i = 0; i < gate->capacity; i++) {
        s3s_gate_slot *slot = gate->table[i];
        if (slot != NULL)
            *find_place(table, capacity, slot->partition, slot->token) = slot;
    }
    s3s_free(gate->target->env, gate->table);
    gate->table = table;
    gate->capacity = capacity;
    return S3STORE_OK;
}

s3store_status s3s_gate_slot_of(s3s_gate *gate, const char *partition, const char *token,
                                s3s_gate_slot **out, s3store_error *err)
{
    if (gate->count >= gate->capacity / 2) {
        s3store_status status = grow_table(gate, err);
        if (status != S3STORE_OK)
            return status;
    }
    s3s_gate_slot **place = find_place(gate->table, gate->capacity, partition, token);
    if (*place == NULL) {
        s3s_gate_slot *slot = s3s_arena_calloc(&gate->arena, 1, sizeof *slot);
        const char *partition_copy = s3s_arena_strdup(&gate->arena, partition);
        const char *token_copy = s3s_arena_strdup(&gate->arena, token);
        if (slot == NULL || partition_copy == NULL || token_copy == NULL)
            return s3s_fail_memory(err, sizeof *slot);
        slot->partition = partition_copy;
        slot->token = token_copy;
        *place = slot;
        gate->count++;
    }
    *out = *place;
    return S3STORE_OK;
}

/* What one HEAD found, apart from the slots: only the caller's thread changes those. */
typedef struct ask {
    s3s_gate_slot *slot;
    s3s_gate_state state;
    s3s_marker marker;
    s3store_error *damage;
} ask;

typedef struct ask_list {
    s3s_gate *gate;
    ask *items;
} ask_list;

static s3store_status ask_one(void *ctx, size_t item, s3store_error *err)
{
    ask_list *list = ctx;
    ask *a = &list->items[item];
    s3s_env *env = list->gate->target->env;
    s3store_error local = {0};
    s3s_metric(s3s_env_metrics(env), S3S_METRIC_COMMIT_HEADS,
               (s3s_labels){.method = S3S_METHOD_POLL}, 1);
    s3store_status status = s3s_commit_head(list->gate->target, list->gate->call,
                                            a->slot->partition, a->slot->token, &a->marker, NULL,
                                            &local);
    if (status == S3STORE_OK) {
        a->state = S3S_GATE_PRESENT;
    } else if (status == S3STORE_NOT_FOUND) {
        a->state = S3S_GATE_ABSENT;
    } else if (status == S3STORE_DAMAGED_MARKER) {
        a->damage = s3s_alloc(env, sizeof *a->damage);
        if (a->damage == NULL)
            return s3s_fail_memory(err, sizeof *a->damage);
        *a->damage = local;
        a->state = S3S_GATE_DAMAGED;
    } else {
        if (err != NULL)
            *err = local;
        return status;
    }
    return S3STORE_OK;
}

static s3store_status take_answers(s3s_gate *gate, ask *asks, size_t count, s3store_error *err)
{
    for (size_t i = 0; i < count; i++) {
        s3s_gate_slot *slot = asks[i].slot;
        slot->state = asks[i].state;
        memcpy(slot->attempt, asks[i].marker.attempt, sizeof slot->attempt);
        slot->row_count = asks[i].marker.row_count;
        if (asks[i].state == S3S_GATE_DAMAGED) {
            slot->damage = s3s_arena_alloc(&gate->arena, sizeof *slot->damage);
            if (slot->damage == NULL)
                return s3s_fail_memory(err, sizeof *slot->damage);
            *slot->damage = *asks[i].damage;
        }
    }
    return S3STORE_OK;
}

s3store_status s3s_gate_settle(s3s_gate *gate, s3s_gate_slot *const *slots, size_t count,
                               s3store_error *err)
{
    s3s_env *env = gate->target->env;
    size_t distinct = 0;
    ask *asks = s3s_calloc(env, count, sizeof *asks);
    if (asks == NULL)
        return s3s_fail_memory(err, count * sizeof *asks);
    for (size_t i = 0; i < count; i++) {
        if (slots[i] != NULL && slots[i]->state != S3S_GATE_UNKNOWN)
            s3s_metric(s3s_env_metrics(env), S3S_METRIC_COMMIT_HEAD_CACHE_HITS,
                       (s3s_labels){.method = S3S_METHOD_POLL}, 1);
        if (slots[i] == NULL || slots[i]->state != S3S_GATE_UNKNOWN)
            continue;
        slots[i]->state = S3S_GATE_ABSENT; /* for now: so that a repeated slot is asked once */
        asks[distinct++].slot = slots[i];
    }
    ask_list list = {.gate = gate, .items = asks};
    s3s_fan_options fan = {.limit = (size_t)gate->target->max_inflight, .call = gate->call};
    s3store_status status = S3STORE_OK;
    if (distinct > 0)
        status = s3s_fan_out(gate->target->pool, distinct, ask_one, &list, &fan, err);
    if (status == S3STORE_OK)
        status = take_answers(gate, asks, distinct, err);
    else
        for (size_t i = 0; i < distinct; i++)
            asks[i].slot->state = S3S_GATE_UNKNOWN;
    for (size_t i = 0; i < distinct; i++)
        s3s_free(env, asks[i].damage);
    s3s_free(env, asks);
    return status;
}
