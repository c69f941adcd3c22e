/* A follower: keeps the latest state of every entity in a file of its own, each change exactly once.
 *
 *   follower file:///tmp/quakes state.tsv          or s3://bucket/quakes
 *
 * The stream delivers at least once. What makes it exactly once is that the state and the offset up
 * to which it is true are stored together, in one file that is replaced atomically: the first line
 * is the offset, the others are "id <tab> updated <tab> mag". A follower that is killed goes on from
 * the state that it has, whichever that is. Here one run catches up with the stream and ends; a
 * service would wait and go on.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "s3store.h"

typedef struct quake {
    const char *id;
    int64_t updated_us;
    double mag;
} quake;

static const s3store_field fields[] = {
    {.name = "id", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(quake, id)},
    {.name = "updated", .kind = S3STORE_KIND_TIMESTAMP, .offset = offsetof(quake, updated_us)},
    {.name = "mag", .kind = S3STORE_KIND_DOUBLE, .offset = offsetof(quake, mag),
     .null = S3STORE_NULL_ZERO},
};
static const s3store_record_type quake_type = S3STORE_RECORD_TYPE(quake, fields);

typedef struct state {
    char *offset; /* everything before it has been applied */
    quake *quakes; /* in order of their ids, which are ours */
    size_t count, capacity;
    size_t changed;
} state;

static int complain(const char *doing, const char *what)
{
    fprintf(stderr, "follower: %s: %s\n", doing, what);
    return 1;
}

/* ---- the state --------------------------------------------------------------------------------- */

/* Where an id is, or would be. */
static size_t place_of(const state *s, const char *id)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(s->quakes[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A change that is older than what we have, or the same, changes nothing. */
static int apply(state *s, const quake *q)
{
    size_t at = place_of(s, q->id);
    if (at < s->count && strcmp(s->quakes[at].id, q->id) == 0) {
        if (q->updated_us > s->quakes[at].updated_us) {
            s->quakes[at].updated_us = q->updated_us;
            s->quakes[at].mag = q->mag;
            s->changed++;
        }
        return 0;
    }
    if (s->count == s->capacity) {
        size_t capacity = s->capacity == 0 ? 256 : 2 * s->capacity;
        quake *grown = realloc(s->quakes, capacity * sizeof *grown);
        if (grown == NULL)
            return complain("growing", "out of memory");
        s->quakes = grown;
        s->capacity = capacity;
    }
    char *id = strdup(q->id);
    if (id == NULL)
        return complain("growing", "out of memory");
    memmove(&s->quakes[at + 1], &s->quakes[at], (s->count - at) * sizeof *s->quakes);
    s->quakes[at] = (quake){id, q->updated_us, q->mag};
    s->count++;
    s->changed++;
    return 0;
}

static int load(state *s, const char *path)
{
    char line[2048], id[512], *end;
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return errno == ENOENT ? 0 : complain(path, strerror(errno));
    int code = 0;
    if (fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        s->offset = strdup(line);
    }
    while (code == 0 && fgets(line, sizeof line, f) != NULL) {
        quake q = {.id = id};
        size_t size = strcspn(line, "\t");
        if (size >= sizeof id || line[size] != '\t') {
            code = complain(path, "this is not a state of ours");
            break;
        }
        memcpy(id, line, size);
        id[size] = '\0';
        q.updated_us = strtoll(line + size + 1, &end, 10);
        q.mag = strtod(end, NULL);
        code = apply(s, &q);
    }
    fclose(f);
    s->changed = 0;
    return code;
}

static int save(const state *s, const char *path)
{
    char temporary[1024];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *f = fopen(temporary, "w");
    if (f == NULL)
        return complain(temporary, strerror(errno));
    int bad = fprintf(f, "%s\n", s->offset) < 0;
    for (size_t i = 0; i < s->count && !bad; i++)
        bad = fprintf(f, "%s\t%" PRId64 "\t%.17g\n", s->quakes[i].id, s->quakes[i].updated_us,
                      s->quakes[i].mag) < 0;
    bad |= fflush(f) != 0 || fsync(fileno(f)) != 0;
    bad |= fclose(f) != 0;
    if (bad || rename(temporary, path) != 0)
        return complain(path, strerror(errno));
    return 0;
}

/* ---- following --------------------------------------------------------------------------------- */

/* Applies the rows of some commits. */
static int apply_entries(state *s, s3store_reader *reader, const s3store_entries *entries)
{
    s3store_error err = {0};
    s3store_record_iter *iter = NULL;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.entries = entries;
    options.history = true; /* every version; apply() takes the newest */
    s3store_status status = s3store_read_iter(reader, &quake_type, &options, &iter, &err);
    int code = 0;
    quake q;
    while (status == S3STORE_OK && code == 0) {
        status = s3store_record_iter_next(iter, &q, &err);
        if (status == S3STORE_OK)
            code = apply(s, &q);
    }
    s3store_record_iter_free(iter);
    if (status != S3STORE_OK && status != S3STORE_END)
        code = complain("reading", err.message);
    return code;
}

/* One step: some commits, then state and offset together. *more: there may be others. */
static int step(state *s, s3store_target *target, s3store_reader *reader, const char *path,
                int *more)
{
    s3store_error err = {0};
    s3store_entries *entries = NULL;
    s3store_poll_options options = S3STORE_POLL_OPTIONS_INIT;
    options.since = s->offset;
    options.max_entries = 100;
    if (s3store_poll(target, &options, &entries, &err) != S3STORE_OK)
        return complain("polling", err.message);
    *more = s3store_entries_count(entries) > 0;
    int code = *more ? apply_entries(s, reader, entries) : 0;
    char *offset = code == 0 ? strdup(s3store_entries_next_offset(entries)) : NULL;
    if (offset != NULL) {
        free(s->offset);
        s->offset = offset;
        code = save(s, path);
    }
    s3store_entries_free(entries);
    return code;
}

int main(int argc, char **argv)
{
    state s = {0};
    s3store_error err = {0};
    s3store_target *target = NULL;
    s3store_reader *reader = NULL;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    int code = 0, more = 1;
    if (argc != 3) {
        fprintf(stderr, "usage: follower URL STATE\n");
        return 2;
    }
    config.url = argv[1];
    code = load(&s, argv[2]);
    if (code == 0 && (s3store_target_open(&config, &target, &err) != S3STORE_OK ||
                      s3store_reader_open(target, NULL, &reader, &err) != S3STORE_OK))
        code = complain("opening", err.message);
    while (code == 0 && more)
        code = step(&s, target, reader, argv[2], &more);
    if (code == 0)
        printf("%zu entities, %zu changes\n", s.count, s.changed);
    s3store_reader_free(reader);
    s3store_target_free(target);
    for (size_t i = 0; i < s.count; i++)
        free((char *)s.quakes[i].id);
    free(s.quakes);
    free(s.offset);
    return code;
}
