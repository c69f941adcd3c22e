/* local/names.h: object keys as paths of a directory tree (docs/FORMAT.md "Local directories").
 *
 * A key is cut at every '/' into segments; a segment is one directory or file of the same name.
 * What a file system cannot hold so gets a name that begins with ".s3store=", a letter and "=":
 *
 *   e  the segment is empty, ".", ".." or begins with ".s3store"; the segment follows
 *   o  the object of a segment whose plain name is a directory (keys "a" and "a/b")
 *   l  240 bytes of a longer segment, whose next byte sorts before '/': a directory
 *   h  the same, when the next byte sorts after '/': two, so that LIST meets both in key order
 *   t  the last 1 to 240 bytes of a longer segment
 *   u  what o is to a plain name, for t
 *
 * Other names that begin with ".s3store" belong to the store itself and are no objects, and so is
 * every name that this table would not have produced.
 */
#ifndef S3S_LOCAL_NAMES_H
#define S3S_LOCAL_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#define S3S_NAME_SIZE 256     /* a file name with its NUL */
#define S3S_SEGMENT_PLAIN 240 /* longest part of a segment in one name */

#define S3S_NAME_TMP ".s3store-tmp"   /* directory of files that are being written */
#define S3S_NAME_LOCK ".s3store-lock" /* lock of the fence */

/* Walks a key from the root: each step gives one name. */
typedef struct s3s_key_path {
    const char *key;
    size_t size;
    size_t pos;       /* of the next piece */
    bool in_segment;  /* in the middle of a long one */
    bool first;       /* this name ends the first segment */
    bool last;        /* this name ends the key */
    char name[S3S_NAME_SIZE];
    char twin[S3S_NAME_SIZE]; /* the object's name when `name` is a directory; "" for l and h */
} s3s_key_path;
void s3s_key_path_begin(s3s_key_path *path, const char *key, size_t size);
/* The next name; not after `last`. */
void s3s_key_path_next(s3s_key_path *path);

typedef enum s3s_name_kind {
    S3S_NAME_WHOLE = 1, /* plain, e, t: a directory, or an object */
    S3S_NAME_TWIN,      /* o, u: an object */
    S3S_NAME_LOW,       /* l: a directory */
    S3S_NAME_HIGH,      /* h: a directory */
} s3s_name_kind;

/* What a name in a directory stands for: *text is the part of the segment in it. chain: 0 in an
 * ordinary directory, 'l' or 'h' inside of such a one. false: not a name of this store. */
bool s3s_name_decode(const char *name, char chain, s3s_name_kind *kind, const char **text,
                     size_t *size);
/* The twin of a whole name that was decoded to text. */
void s3s_name_twin(const char *text, size_t size, char chain, char out[S3S_NAME_SIZE]);

#endif
