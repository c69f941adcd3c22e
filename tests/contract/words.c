#include "contract/words.h"

#include <stdlib.h>

const s3s_contract *the;

/* The key of a name below this test's own folder. */
const char *key_of(const char *folder, const char *name)
{
    static _Thread_local char ring[8][KEY_ROOM];
    static _Thread_local unsigned next;
    char *out = ring[next++ % 8];
    int n = snprintf(out, KEY_ROOM, "%s%s/%s", the->prefix, folder, name);
    assert_in_range(n, 1, KEY_ROOM - 1);
    return out;
}

s3store_put_request put_request(const char *key, const void *body, size_t size)
{
    return (s3store_put_request){
        .size = sizeof(s3store_put_request), .key = key, .body = body, .body_size = size};
}

void put_text(const char *key, const char *text)
{
    s3store_error err;
    s3store_put_request request = put_request(key, text, strlen(text));
    s3store_put_reply reply;
    assert_ok(s3s_put(the->store, NULL, &request, &reply, &err));
}

s3store_get_request get_request(const char *key)
{
    return (s3store_get_request){
        .size = sizeof(s3store_get_request), .key = key, .length = S3STORE_LENGTH_ALL};
}

/* The body of an object as text in buffer. */
s3store_status get_into(s3s_buffer *buffer, const s3store_get_request *request,
                        s3store_object_info *info, s3store_error *err)
{
    s3store_sink sink = s3s_buffer_sink(buffer);
    return s3s_get(the->store, NULL, request, &sink, info, err);
}

void expect_body(const s3store_get_request *request, const void *data, size_t size)
{
    s3store_error err;
    s3s_buffer buffer;
    s3store_object_info info;
    s3s_buffer_init(&buffer, the->env, SIZE_MAX);
    assert_ok(get_into(&buffer, request, &info, &err));
    if (buffer.size != size || (size > 0 && memcmp(buffer.data, data, size) != 0))
        fail_msg("%s: got %zu bytes, not the %zu expected", request->key, buffer.size, size);
    s3s_buffer_deinit(&buffer);
}

void expect_text(const char *key, const char *text)
{
    s3store_get_request request = get_request(key);
    expect_body(&request, text, strlen(text));
}

void expect_missing(const char *key)
{
    s3store_error err;
    s3store_object_info info;
    assert_fails(s3s_head(the->store, NULL, key, &info, &err), S3STORE_NOT_FOUND, NULL);
}

bool collect(void *ctx, const s3store_list_entry *entry)
{
    listed *l = ctx;
    if (l->count >= LIST_ROOM)
        return false;
    l->keys[l->count] = strdup(entry->key);
    l->is_prefix[l->count] = entry->is_prefix;
    l->sizes[l->count] = entry->object_size;
    l->times[l->count] = entry->last_modified_us;
    l->count++;
    return l->stop_at == 0 || l->count < l->stop_at;
}

void listed_clear(listed *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->keys[i]);
    l->count = 0;
}

void expect_metadata(const char *key, const s3store_metadata_entry *entries, size_t count)
{
    s3store_error err;
    s3store_object_info info;
    assert_ok(s3s_head(the->store, NULL, key, &info, &err));
    assert_int_equal(info.metadata.count, count);
    for (size_t i = 0; i < count; i++) {
        const char *value = s3store_metadata_get(&info.metadata, entries[i].name);
        if (value == NULL)
            fail_msg("%s: no metadata %s", key, entries[i].name);
        assert_string_equal(value, entries[i].value);
    }
}

/* All pages of `max_keys`; the number of pages. */
size_t list_pages(listed *l, const char *prefix, const char *start_after,
                  const char *delimiter, uint32_t max_keys)
{
    s3store_error err;
    s3store_list_reply *replies = calloc(2, sizeof *replies);
    s3store_list_request request = {.size = sizeof request,
                                    .prefix = prefix,
                                    .start_after = start_after,
                                    .delimiter = delimiter,
                                    .max_keys = max_keys};
    size_t pages = 0;
    listed_clear(l);
    for (;;) {
        size_t before = l->count;
        s3store_list_reply *reply = &replies[pages % 2];
        assert_ok(s3s_list(the->store, NULL, &request, collect, l, reply, &err));
        pages++;
        if (max_keys > 0)
            assert_in_range(l->count - before, 0, max_keys);
        if (!reply->truncated)
            break;
        assert_true(reply->continuation[0] != '\0');
        request.continuation = reply->continuation;
    }
    free(replies);
    return pages;
}

int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The list is exactly these keys, which are sorted. */
void expect_keys(const listed *l, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < l->count && i < count; i++) {
        if (strcmp(l->keys[i], keys[i]) != 0)
            fail_msg("entry %zu is \"%s\", expected \"%s\"", i, l->keys[i], keys[i]);
    }
    if (l->count != count)
        fail_msg("%zu entries, expected %zu (first extra or missing: %s)", l->count, count,
                 l->count > count ? l->keys[count] : keys[l->count]);
}

listed *new_listed(void)
{
    return calloc(1, sizeof(listed));
}

void free_listed(listed *l)
{
    listed_clear(l);
    free(l);
}

/* Puts each name (as its own text), and gives the sorted keys: free each and the array. */
char **put_names(const char *folder, const char *const *names, size_t count)
{
    char **keys = calloc(count, sizeof *keys);
    for (size_t i = 0; i < count; i++) {
        keys[i] = strdup(key_of(folder, names[i]));
        put_text(keys[i], names[i]);
    }
    qsort(keys, count, sizeof *keys, by_bytes);
    return keys;
}

void free_names(char **keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(keys[i]);
    free(keys);
}
