#include "objstore/local/names.h"

#include <string.h>

static const char reserved[] = ".s3store";
#define RESERVED_SIZE (sizeof reserved - 1)
#define ESCAPE_SIZE (RESERVED_SIZE + 3) /* ".s3store=x=" */

static void escape(char letter, const char *text, size_t size, char out[S3S_NAME_SIZE])
{
    memcpy(out, reserved, RESERVED_SIZE);
    out[RESERVED_SIZE] = '=';
    out[RESERVED_SIZE + 1] = letter;
    out[RESERVED_SIZE + 2] = '=';
    memcpy(out + ESCAPE_SIZE, text, size);
    out[ESCAPE_SIZE + size] = '\0';
}

/* Of a segment of at most S3S_SEGMENT_PLAIN bytes. */
static bool needs_escape(const char *text, size_t size)
{
    if (size == 0 || (size == 1 && text[0] == '.') || (size == 2 && memcmp(text, "..", 2) == 0))
        return true;
    return size >= RESERVED_SIZE && memcmp(text, reserved, RESERVED_SIZE) == 0;
}

void s3s_name_twin(const char *text, size_t size, char chain, char out[S3S_NAME_SIZE])
{
    escape(chain != 0 ? 'u' : 'o', text, size, out);
}

void s3s_key_path_begin(s3s_key_path *path, const char *key, size_t size)
{
    memset(path, 0, sizeof *path);
    path->key = key;
    path->size = size;
}

void s3s_key_path_next(s3s_key_path *path)
{
    const char *text = path->key + path->pos;
    size_t rest = path->size - path->pos;
    const char *slash = memchr(text, '/', rest);
    size_t size = slash != NULL ? (size_t)(slash - text) : rest;
    if (size > S3S_SEGMENT_PLAIN) {
        char next = text[S3S_SEGMENT_PLAIN];
        escape((unsigned char)next < '/' ? 'l' : 'h', text, S3S_SEGMENT_PLAIN, path->name);
        path->twin[0] = '\0';
        path->pos += S3S_SEGMENT_PLAIN;
        path->in_segment = true;
        path->first = false;
        path->last = false;
        return;
    }
    if (path->in_segment) {
        escape('t', text, size, path->name);
    } else if (needs_escape(text, size)) {
        escape('e', text, size, path->name);
    } else {
        memcpy(path->name, text, size);
        path->name[size] = '\0';
    }
    s3s_name_twin(text, size, path->in_segment ? 'l' : 0, path->twin);
    path->first = memchr(path->key, '/', path->pos) == NULL;
    path->last = slash == NULL;
    path->in_segment = false;
    path->pos += size + (slash != NULL ? 1 : 0);
}

static bool decode_in_chain(char letter, size_t size, s3s_name_kind *kind)
{
    switch (letter) {
    case 't':
        *kind = S3S_NAME_WHOLE;
        return size >= 1 && size <= S3S_SEGMENT_PLAIN;
    case 'u':
        *kind = S3S_NAME_TWIN;
        return size >= 1 && size <= S3S_SEGMENT_PLAIN;
    default:
        return false;
    }
}

static bool decode_whole(char letter, const char *text, size_t size, s3s_name_kind *kind)
{
    switch (letter) {
    case 'e':
        *kind = S3S_NAME_WHOLE;
        return size <= S3S_SEGMENT_PLAIN && needs_escape(text, size);
    case 'o':
        *kind = S3S_NAME_TWIN;
        return size <= S3S_SEGMENT_PLAIN;
    default:
        return false;
    }
}

bool s3s_name_decode(const char *name, char chain, s3s_name_kind *kind, const char **text,
                     size_t *size)
{
    size_t length = strlen(name);
    if (length < RESERVED_SIZE || memcmp(name, reserved, RESERVED_SIZE) != 0) {
        *kind = S3S_NAME_WHOLE;
        *text = name;
        *size = length;
        return chain == 0 && length <= S3S_SEGMENT_PLAIN && !needs_escape(name, length);
    }
    if (length < ESCAPE_SIZE || name[RESERVED_SIZE] != '=' || name[RESERVED_SIZE + 2] != '=')
        return false;
    char letter = name[RESERVED_SIZE + 1];
    *text = name + ESCAPE_SIZE;
    *size = length - ESCAPE_SIZE;
    /* Inside of l and h directories the text begins with a byte of that half. */
    if (chain != 0 && ((unsigned char)(*text)[0] < '/') != (chain == 'l'))
        return false;
    if (letter == 'l' || letter == 'h') {
        *kind = letter == 'l' ? S3S_NAME_LOW : S3S_NAME_HIGH;
        return *size == S3S_SEGMENT_PLAIN;
    }
    return chain != 0 ? decode_in_chain(letter, *size, kind)
                      : decode_whole(letter, *text, *size, kind);
}
