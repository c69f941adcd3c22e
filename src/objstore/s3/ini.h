/* objstore/s3/ini.h: the format of the AWS tools' shared files, bounded.
 *
 *   [section]            # "[profile  "a b"]" is read as "profile a b"
 *   key = value          # keys without case; a comment begins at the line's start or after a blank
 *   parent =
 *       key = value      # deeper indented: read as parent.key
 *
 * A file may hold secrets: its text lives in one allocation, which is overwritten when it is
 * freed, and no message quotes it.
 */
#ifndef S3S_OBJSTORE_S3_INI_H
#define S3S_OBJSTORE_S3_INI_H

#include "base/env.h"

#define S3S_INI_MAX_BYTES (1024u * 1024)
#define S3S_INI_MAX_ENTRIES 10000u

typedef struct s3s_ini s3s_ini;

/* where names the text in messages. BAD_CONFIG: it is not of the format; the message has the
 * line. */
s3store_status s3s_ini_parse(s3s_env *env, const char *text, size_t size, const char *where,
                             s3s_ini **out, s3store_error *err);
/* The same of a file. NOT_FOUND: there is none. */
s3store_status s3s_ini_load(s3s_env *env, const char *path, s3s_ini **out, s3store_error *err);
void s3s_ini_free(s3s_ini *ini); /* NULL allowed */

/* All allow ini NULL. The last of several equal keys counts. Borrowed. */
bool s3s_ini_has_section(const s3s_ini *ini, const char *section);
const char *s3s_ini_get(const s3s_ini *ini, const char *section, const char *key); /* or NULL */
/* Of "key" under "parent =". */
const char *s3s_ini_get_nested(const s3s_ini *ini, const char *section, const char *parent,
                               const char *key);

#endif
