#include "objstore/s3/ini.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/tempfile.h"

typedef struct entry {
    const char *section;
    const char *parent; /* NULL = top level */
    const char *key;    /* NULL = the section's own line */
    const char *value;
} entry;

struct s3s_ini {
    s3s_env *env;
    char *text; /* cut into texts in place */
    size_t text_size;
    entry *entries;
    size_t entry_count;
    size_t entry_capacity;
};

typedef struct parser {
    s3s_ini *ini;
    const char *where;
    size_t line;
    const char *section; /* NULL before the first */
    const char *parent;  /* the last top-level key, when its value is empty */
    bool has_key;        /* a top-level key came in this section */
    size_t key_indent;   /* of the last top-level key */
    s3store_error *err;
} parser;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static s3store_status fail_line(const parser *p, const char *what)
{
    return s3s_fail_key(p->err, S3STORE_BAD_CONFIG, p->where, "%s, line %zu: %s", p->where, p->line,
                        what);
}

static s3store_status add_entry(parser *p, const char *parent, const char *key, const char *value)
{
    s3s_ini *ini = p->ini;
    if (ini->entry_count >= S3S_INI_MAX_ENTRIES)
        return fail_line(p, "too many settings");
    if (ini->entry_count == ini->entry_capacity) {
        size_t capacity = ini->entry_capacity == 0 ? 32 : ini->entry_capacity * 2;
        entry *entries = s3s_realloc(ini->env, ini->entries, capacity * sizeof *entries);
        if (entries == NULL)
            return s3s_fail_memory(p->err, capacity * sizeof *entries);
        ini->entries = entries;
        ini->entry_capacity = capacity;
    }
    ini->entries[ini->entry_count++] =
        (entry){.section = p->section, .parent = parent, .key = key, .value = value};
    return S3STORE_OK;
}

/* "profile  "a b"" becomes "profile a b", in place. */
static void tidy_section(char *name)
{
    char *out = name;
    for (const char *in = name; *in != '\0'; in++) {
        if (*in == '"' || *in == '\'')
            continue;
        if (is_blank(*in) && (out == name || out[-1] == ' '))
            continue;
        *out++ = is_blank(*in) ? ' ' : *in;
    }
    while (out > name && out[-1] == ' ')
        out--;
    *out = '\0';
}

static s3store_status parse_section(parser *p, char *line)
{
    char *end = strchr(line, ']');
    if (end == NULL)
        return fail_line(p, "a section without its closing bracket");
    *end = '\0';
    tidy_section(line + 1);
    p->section = line + 1;
    p->parent = NULL;
    p->has_key = false;
    return add_entry(p, NULL, NULL, "");
}

static void cut_comment(char *value)
{
    for (char *c = value; *c != '\0'; c++)
        if ((*c == '#' || *c == ';') && (c == value || is_blank(c[-1]))) {
            *c = '\0';
            return;
        }
}

static char *trim(char *text)
{
    while (is_blank(*text))
        text++;
    size_t size = strlen(text);
    while (size > 0 && is_blank(text[size - 1]))
        text[--size] = '\0';
    return text;
}

static s3store_status parse_setting(parser *p, char *line, size_t indent)
{
    if (p->section == NULL)
        return fail_line(p, "a setting before the first section");
    bool nested = p->has_key && indent > p->key_indent;
    if (nested && p->parent == NULL)
        return S3STORE_OK; /* the further lines of a long value: none of ours has any */
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return fail_line(p, "a setting without \"=\"");
    *equals = '\0';
    char *key = trim(line);
    char *value = equals + 1;
    cut_comment(value);
    value = trim(value);
    if (key[0] == '\0')
        return fail_line(p, "a setting without a name");
    if (!nested) {
        p->has_key = true;
        p->key_indent = indent;
        p->parent = value[0] == '\0' ? key : NULL;
    }
    return add_entry(p, nested ? p->parent : NULL, key, value);
}

static s3store_status parse_line(parser *p, char *line)
{
    size_t size = strlen(line);
    if (size > 0 && line[size - 1] == '\r')
        line[size - 1] = '\0';
    size_t indent = strspn(line, " \t");
    char *text = line + indent;
    if (text[0] == '\0' || text[0] == '#' || text[0] == ';')
        return S3STORE_OK;
    if (text[0] == '[')
        return parse_section(p, text);
    return parse_setting(p, text, indent);
}

static s3store_status parse_text(s3s_ini *ini, const char *where, s3store_error *err)
{
    parser p = {.ini = ini, .where = where, .err = err};
    if (memchr(ini->text, '\0', ini->text_size) != NULL)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, where, "%s is not a text file", where);
    char *line = ini->text;
    if (s3s_starts_with(line, "\xef\xbb\xbf"))
        line += 3; /* a byte order mark */
    for (;;) {
        p.line++;
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        s3store_status status = parse_line(&p, line);
        if (status != S3STORE_OK || end == NULL)
            return status;
        line = end + 1;
    }
}

/* Takes text (allocated, text_size + 1 bytes) in every case. */
static s3store_status make_ini(s3s_env *env, char *text, size_t text_size, const char *where,
                               s3s_ini **out, s3store_error *err)
{
    s3s_ini *ini = s3s_calloc(env, 1, sizeof *ini);
    if (ini == NULL) {
        s3s_wipe(text, text_size);
        s3s_free(env, text);
        return s3s_fail_memory(err, sizeof *ini);
    }
    ini->env = env;
    ini->text = text;
    ini->text_size = text_size;
    text[text_size] = '\0';
    s3store_status status = parse_text(ini, where, err);
    if (status != S3STORE_OK) {
        s3s_ini_free(ini);
        return status;
    }
    *out = ini;
    return S3STORE_OK;
}

static s3store_status check_size(const char *where, size_t size, s3store_error *err)
{
    if (size <= S3S_INI_MAX_BYTES)
        return S3STORE_OK;
    return s3s_fail_key(err, S3STORE_BAD_CONFIG, where, "%s is larger than %u bytes", where,
                        S3S_INI_MAX_BYTES);
}

s3store_status s3s_ini_parse(s3s_env *env, const char *text, size_t size, const char *where,
                             s3s_ini **out, s3store_error *err)
{
    *out = NULL;
    s3store_status status = check_size(where, size, err);
    if (status != S3STORE_OK)
        return status;
    char *copy = s3s_alloc(env, size + 1);
    if (copy == NULL)
        return s3s_fail_memory(err, size + 1);
    memcpy(copy, text, size);
    return make_ini(env, copy, size, where, out, err);
}

/* At most size bytes into out. A file that shrinks meanwhile is read as far as it goes. */
static s3store_status read_fully(int fd, const char *path, char *out, size_t size, size_t *got,
                                 s3store_error *err)
{
    *got = 0;
    while (*got < size) {
        ssize_t n = read(fd, out + *got, size - *got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return s3s_fail_errno(err, errno, "read", path);
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return S3STORE_OK;
}

static s3store_status load_open_file(s3s_env *env, int fd, const char *path, s3s_ini **out,
                                     s3store_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return s3s_fail_errno(err, errno, "read", path);
    if (!S_ISREG(info.st_mode))
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, path, "%s is not a regular file", path);
    if (info.st_size > (off_t)S3S_INI_MAX_BYTES)
        return check_size(path, S3S_INI_MAX_BYTES + 1, err);
    size_t size = (size_t)info.st_size;
    char *text = s3s_alloc(env, size + 1);
    if (text == NULL)
        return s3s_fail_memory(err, size + 1);
    size_t got = 0;
    s3store_status status = read_fully(fd, path, text, size, &got, err);
    if (status != S3STORE_OK) {
        s3s_wipe(text, size);
        s3s_free(env, text);
        return status;
    }
    return make_ini(env, text, got, path, out, err);
}

s3store_status s3s_ini_load(s3s_env *env, const char *path, s3s_ini **out, s3store_error *err)
{
    *out = NULL;
    int fd = s3s_open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return s3s_fail_key(err, S3STORE_NOT_FOUND, path, "there is no file %s", path);
    if (fd < 0)
        return s3s_fail_errno(err, errno, "open", path);
    s3store_status status = load_open_file(env, fd, path, out, err);
    close(fd);
    return status;
}

void s3s_ini_free(s3s_ini *ini)
{
    if (ini == NULL)
        return;
    s3s_wipe(ini->text, ini->text_size);
    s3s_free(ini->env, ini->text);
    s3s_free(ini->env, ini->entries);
    s3s_free(ini->env, ini);
}

bool s3s_ini_has_section(const s3s_ini *ini, const char *section)
{
    for (size_t i = 0; ini != NULL && i < ini->entry_count; i++)
        if (strcmp(ini->entries[i].section, section) == 0)
            return true;
    return false;
}

const char *s3s_ini_get_nested(const s3s_ini *ini, const char *section, const char *parent,
                               const char *key)
{
    for (size_t i = ini == NULL ? 0 : ini->entry_count; i > 0; i--) {
        const entry *e = &ini->entries[i - 1];
        if (e->key == NULL || strcmp(e->section, section) != 0 || strcasecmp(e->key, key) != 0)
            continue;
        if (parent == NULL ? e->parent == NULL
                           : e->parent != NULL && strcasecmp(e->parent, parent) == 0)
            return e->value;
    }
    return NULL;
}

const char *s3s_ini_get(const s3s_ini *ini, const char *section, const char *key)
{
    return s3s_ini_get_nested(ini, section, NULL, key);
}
