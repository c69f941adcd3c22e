/* The directory store: its constructor, GET, HEAD and remove. */
#include "objstore/local/local.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "objstore/local/object_file.h"

#define READ_PIECE ((size_t)256 << 10)

static s3store_status describe(s3s_local *l, int fd, const struct stat *st, const char *key,
                               uint64_t *header_size, s3store_object_info *info,
                               s3store_error *err)
{
    s3store_status status = s3s_object_header_read(fd, (uint64_t)st->st_size, key, header_size,
                                                   &info->metadata, err);
    if (status != S3STORE_OK)
        return status;
    info->object_size = (uint64_t)st->st_size - *header_size;
    info->last_modified_us = s3s_object_time_us(st);
    info->date_us = s3s_server_wall_us(l->env);
    s3s_object_etag(st, info->etag);
    return S3STORE_OK;
}

static s3store_status send_body(s3s_local *l, int fd, const struct stat *st, uint64_t header_size,
                                const s3store_call *call, const s3store_get_request *request,
                                s3store_sink *sink, s3store_error *err)
{
    uint64_t offset, length;
    uint64_t object_size = (uint64_t)st->st_size - header_size;
    s3store_status status = s3s_port_range(request, object_size, &offset, &length, err);
    if (status != S3STORE_OK || sink == NULL)
        return status;
    status = sink->begin(sink, (int64_t)length, err);
    if (status != S3STORE_OK)
        return status;
    size_t piece = length < READ_PIECE ? (size_t)length : READ_PIECE;
    char *buffer = s3s_alloc(l->env, piece);
    if (buffer == NULL)
        return s3s_fail_memory(err, piece);
    for (uint64_t done = 0; status == S3STORE_OK && done < length;) {
        size_t n = length - done < piece ? (size_t)(length - done) : piece;
        size_t got = 0;
        status = s3s_call_check(l->env, call, err);
        if (status == S3STORE_OK)
            status = s3s_local_read(fd, buffer, n, header_size + offset + done, &got, request->key,
                                    err);
        if (status == S3STORE_OK && got < n)
            status = s3s_fail_key(err, S3STORE_IO, request->key,
                                  "get: the file became shorter while it was read: %.200s",
                                  request->key);
        if (status == S3STORE_OK)
            status = sink->write(sink, buffer, n, err);
        done += n;
    }
    s3s_free(l->env, buffer);
    return status;
}

static s3store_status fetch(s3s_local *l, const s3store_call *call,
                            const s3store_get_request *request, s3store_sink *sink,
                            s3store_object_info *info, s3store_error *err)
{
    s3s_place place;
    struct stat st;
    int fd = -1;
    s3store_status status = s3s_local_resolve(l, request->key, false, call, &place, err);
    if (status == S3STORE_OK)
        status = s3s_local_open_object(&place, request->key, "get", &fd, &st, err);
    if (status == S3STORE_OK)
        status = s3s_local_settle(l, call, &place, request->key, err);
    s3s_place_close(&place);
    if (status != S3STORE_OK) {
        s3s_local_close(&fd);
        return status;
    }
    uint64_t header_size;
    status = describe(l, fd, &st, request->key, &header_size, info, err);
    if (status == S3STORE_OK && request->if_match != NULL &&
        strcmp(request->if_match, info->etag) != 0)
        status = s3s_fail_key(err, S3STORE_ALREADY_EXISTS, request->key,
                              "get: the object has ETag %s, not %.64s", info->etag,
                              request->if_match);
    if (status == S3STORE_OK)
        status = send_body(l, fd, &st, header_size, call, request, sink, err);
    s3s_local_close(&fd);
    return status;
}

static s3store_status local_get(void *impl, const s3store_call *call,
                                const s3store_get_request *request, s3store_sink *sink,
                                s3store_object_info *info, s3store_error *err)
{
    s3s_local *l = impl;
    s3store_object_info own;
    if (info == NULL)
        info = &own;
    s3s_object_info_reset(info);
    s3store_status status = s3s_port_check_key(request->key, err);
    if (status != S3STORE_OK)
        return status;
    s3s_env_point(l->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_GET, request->key, false));
    status = s3s_call_check(l->env, call, err);
    if (status == S3STORE_OK)
        status = fetch(l, call, request, sink, info, err);
    s3s_env_point(l->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_GET, request->key, true));
    return status;
}

static s3store_status look_up(s3s_local *l, const s3store_call *call, const char *key,
                              s3store_object_info *info, s3store_error *err)
{
    s3s_place place;
    struct stat st;
    int fd = -1;
    s3store_status status = s3s_local_resolve(l, key, false, call, &place, err);
    if (status != S3STORE_OK)
        return status;
    /* Without the directory, no put of this key has begun to look at the clock. */
    if (place.dir >= 0) {
        s3s_guard guard;
        s3s_guard_init(&guard, place.home);
        place.home = -1;
        status = s3s_guard_begin(l, &guard, false, call, key, err);
        s3s_guard_close(&guard);
    }
    if (status == S3STORE_OK)
        status = s3s_local_open_object(&place, key, "head", NULL, &st, err);
    uint64_t header_size;
    if (status == S3STORE_OK && s3s_object_header_possible((uint64_t)st.st_size))
        status = s3s_local_open_object(&place, key, "head", &fd, &st, err);
    if (status == S3STORE_OK)
        status = describe(l, fd, &st, key, &header_size, info, err);
    if (status == S3STORE_OK)
        status = s3s_local_settle(l, call, &place, key, err);
    s3s_local_close(&fd);
    s3s_place_close(&place);
    return status;
}

static s3store_status local_head(void *impl, const s3store_call *call, const char *key,
                                 s3store_object_info *info, s3store_error *err)
{
    s3s_local *l = impl;
    s3store_object_info own;
    if (info == NULL)
        info = &own;
    s3s_object_info_reset(info);
    s3store_status status = s3s_port_check_key(key, err);
    if (status != S3STORE_OK)
        return status;
    s3s_env_point(l->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_HEAD, key, false));
    status = s3s_call_check(l->env, call, err);
    if (status == S3STORE_OK)
        status = look_up(l, call, key, info, err);
    s3s_env_point(l->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_HEAD, key, true));
    return status;
}

/* Removes the file of one name, if it is an object's. Directories stay: others may be putting into
 * them, and an empty one lists as nothing. */
static s3store_status remove_name(int dir, const char *name, const char *key, bool *removed,
                                  s3store_error *err)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? S3STORE_OK : s3s_local_fail(errno, "remove", key, err);
    if (!S_ISREG(st.st_mode))
        return S3STORE_OK;
    if (unlinkat(dir, name, 0) == 0)
        *removed = true;
    else if (errno != ENOENT && errno != EISDIR)
        return s3s_local_fail(errno, "remove", key, err);
    return S3STORE_OK;
}

static s3store_status local_remove(void *impl, const s3store_call *call, const char *key,
                                   s3store_error *err)
{
    s3s_local *l = impl;
    s3store_status status = s3s_port_check_key(key, err);
    if (status != S3STORE_OK)
        return status;
    s3s_env_point(l->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_REMOVE, key, false));
    status = s3s_call_check(l->env, call, err);
    s3s_place place = {.home = -1, .dir = -1};
    if (status == S3STORE_OK)
        status = s3s_local_resolve(l, key, false, call, &place, err);
    if (status == S3STORE_OK && place.dir >= 0) {
        /* The name first, then the twin: the way objects move. */
        bool removed = false;
        status = remove_name(place.dir, place.name, key, &removed, err);
        if (status == S3STORE_OK)
            status = remove_name(place.dir, place.twin, key, &removed, err);
        if (status == S3STORE_OK && removed)
            status = s3s_local_fsync(l, place.dir, "remove: sync the directory", key, err);
    }
    s3s_place_close(&place);
    s3s_env_point(l->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_REMOVE, key, true));
    return status;
}

static void local_free(void *impl)
{
    s3s_local *l = impl;
    s3s_turns_deinit(&l->turns);
    s3s_free(l->env, l->root);
    s3s_free(l->env, l);
}

s3store_status s3s_local_store_new(s3s_env *env, const s3s_local_options *options,
                                   s3store_object_store *out, s3store_error *err)
{
    memset(out, 0, sizeof *out);
    if (options->root == NULL || options->root[0] != '/')
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the directory of a local store must be an absolute path: %.200s",
                        options->root != NULL ? options->root : "(none)");
    s3s_local *l = s3s_calloc(env, 1, sizeof *l);
    if (l == NULL)
        return s3s_fail_memory(err, sizeof *l);
    l->env = env;
    l->fsync = options->fsync;
    s3store_status status = s3s_turns_init(&l->turns, env, err);
    if (status != S3STORE_OK) {
        s3s_free(env, l);
        return status;
    }
    l->root = s3s_strdup(env, options->root);
    if (l->root == NULL) {
        local_free(l);
        return s3s_fail_memory(err, strlen(options->root) + 1);
    }
    *out = (s3store_object_store){.size = sizeof *out,
                                  .impl = l,
                                  .put = s3s_local_put,
                                  .get = local_get,
                                  .head = local_head,
                                  .list = s3s_local_list,
                                  .remove = local_remove,
                                  .free = local_free,
                                  .name = "file"};
    return S3STORE_OK;
}

s3store_status s3s_local_path(const char *root, const char *key, char *buffer, size_t buffer_size,
                              s3store_error *err)
{
    size_t used = strlen(root);
    s3s_key_path path = {0};
    bool fits = used < buffer_size;
    if (fits)
        memcpy(buffer, root, used + 1);
    s3s_key_path_begin(&path, key, strlen(key));
    while (fits && !path.last) {
        s3s_key_path_next(&path);
        size_t size = strlen(path.name);
        fits = used + 1 + size < buffer_size;
        if (fits) {
            buffer[used] = '/';
            memcpy(buffer + used + 1, path.name, size + 1);
            used += 1 + size;
        }
    }
    if (fits)
        return S3STORE_OK;
    return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, key,
                        "the path of the object does not fit %zu bytes", buffer_size);
}
