/* dataset/pattern_plan.c: what to LIST for a pattern.
 *
 * The prefix is that of docs/FORMAT.md "LIST prefix of a pattern": the leading exact segments, then
 * what the first other segment fixes. Where that one is a range, bounds narrow the walk further.
 *
 * The trap: a range compares values, a LIST compares keys, and in a key a value is followed by '/'.
 * Let S = exact segments + "name=": every match has the key S v '/' ..., with from <= v < to.
 *
 *   start_after = S from. If v begins with from, the key is longer than S from and begins with it;
 *   else they differ first at a byte where v is greater. Either way the key sorts strictly above.
 *
 *   S to would be the end if v and to differed at some byte, which makes the key sort below it. But
 *   v may be a proper prefix to[0..j) of it, and then '/' meets to[j]: v = "a" is below to = "a-",
 *   yet "a/..." sorts above "a-". That happens where to[j] < '/' and to[0..j) >= from. All those
 *   keys begin with S to[0..j) '/' and lie above S to; those of a smaller j lie above those of a
 *   greater one, by the same comparison. So matches sort below S to, and in one island for each
 *   such j: from S to[0..j) '/' up to S to[0..j) '0', as '0' follows '/'. stop_at is the end of the
 *   last island; what lies between are the gaps, which a walk may skip: in the range
 *   "2025-12-31..2026-01-02", the rest of 2026.
 */
#include "dataset/pattern_plan.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

/* Bytes that both begin with; never part of a UTF-8 sequence, which servers would refuse in a
 * prefix (a shorter prefix lists more and loses nothing). */
static size_t common_prefix(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] != '\0' && a[n] == b[n])
        n++;
    while (!s3s_utf8_valid(a, n))
        n--;
    return n;
}

/* Whether a value to[0..j) is in the range and has its keys above `to`: an island. */
static bool is_island(const char *from, const char *to, size_t j)
{
    return (unsigned char)to[j] < '/' &&
           s3s_slice_compare((s3s_slice){to, j}, (s3s_slice){from, strlen(from)}) >= 0;
}

/* exact + "name=" + the first size bytes of value + last (0 = none). NULL = out of memory. */
static const char *join(s3s_arena *arena, s3s_slice exact, const char *name, const char *value,
                        size_t size, char last)
{
    size_t name_size = strlen(name);
    char *text = s3s_arena_alloc(arena, exact.size + name_size + 1 + size + 2);
    if (text == NULL)
        return NULL;
    char *at = text;
    memcpy(at, exact.data, exact.size);
    at += exact.size;
    memcpy(at, name, name_size);
    at += name_size;
    *at++ = '=';
    memcpy(at, value, size);
    at += size;
    *at++ = last;
    *at = '\0';
    return text;
}

/* stop_at and the gaps below it. */
static bool plan_end(s3s_pattern *p, const s3s_segment *segment, s3s_slice exact)
{
    const char *name = segment->name, *to = segment->to;
    size_t to_size = strlen(to);
    size_t islands = 0;
    for (size_t j = 0; j < to_size; j++)
        islands += is_island(segment->from, to, j);
    p->stop_at = join(&p->arena, exact, name, to, to_size, '\0');
    if (p->stop_at == NULL || islands == 0)
        return p->stop_at != NULL;

    p->gaps = s3s_arena_calloc(&p->arena, islands, sizeof *p->gaps);
    if (p->gaps == NULL)
        return false;
    for (size_t j = to_size; j-- > 0;) {
        if (!is_island(segment->from, to, j))
            continue;
        s3s_gap gap = {p->stop_at, join(&p->arena, exact, name, to, j, '/')};
        p->stop_at = join(&p->arena, exact, name, to, j, '0');
        if (gap.to == NULL || p->stop_at == NULL)
            return false;
        p->gaps[p->gap_count++] = gap;
    }
    return true;
}

const char *s3s_pattern_skip(const s3s_pattern *pattern, const char *key)
{
    for (size_t i = 0; i < pattern->gap_count; i++)
        if (strcmp(key, pattern->gaps[i].from) >= 0 && strcmp(key, pattern->gaps[i].to) < 0)
            return pattern->gaps[i].to;
    return NULL;
}

static bool plan_range(s3s_pattern *p, const s3s_segment *segment, s3s_slice exact)
{
    size_t common = common_prefix(segment->from, segment->to);
    if (common > 0) {
        p->list_prefix = join(&p->arena, exact, segment->name, segment->from, common, '\0');
        if (p->list_prefix == NULL)
            return false;
    }
    if (segment->from[0] != '\0') {
        p->start_after = join(&p->arena, exact, segment->name, segment->from,
                              strlen(segment->from), '\0');
        if (p->start_after == NULL)
            return false;
    }
    return segment->to[0] == '\0' || plan_end(p, segment, exact);
}

/* "name=value/" of the leading exact segments; *count of them. NULL = out of memory. */
static const char *join_exact(s3s_pattern *p, size_t *count)
{
    size_t size = 1;
    size_t n = 0;
    for (; n < p->count && p->segments[n].kind == S3S_SEGMENT_EXACT; n++)
        size += strlen(p->segments[n].name) + 1 + strlen(p->segments[n].from) + 1;
    char *text = s3s_arena_alloc(&p->arena, size);
    if (text == NULL)
        return NULL;
    char *at = text;
    for (size_t i = 0; i < n; i++) {
        at = stpcpy(at, p->segments[i].name);
        *at++ = '=';
        at = stpcpy(at, p->segments[i].from);
        *at++ = '/';
    }
    *at = '\0';
    *count = n;
    return text;
}

s3store_status s3s_pattern_plan(s3s_pattern *pattern, s3store_error *err)
{
    size_t exact_count = 0;
    const char *exact = join_exact(pattern, &exact_count);
    bool done = exact != NULL;
    if (done) {
        pattern->list_prefix = exact;
        const s3s_segment *next =
            exact_count < pattern->count ? &pattern->segments[exact_count] : NULL;
        s3s_slice before = {exact, strlen(exact)};
        if (next != NULL && next->kind == S3S_SEGMENT_PREFIX) {
            pattern->list_prefix = join(&pattern->arena, before, next->name, next->from,
                                        strlen(next->from), '\0');
            done = pattern->list_prefix != NULL;
        } else if (next != NULL && next->kind == S3S_SEGMENT_RANGE) {
            done = plan_range(pattern, next, before);
        }
    }
    return done ? S3STORE_OK : s3s_fail_memory(err, S3S_KEY_SIZE);
}
