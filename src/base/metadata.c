/* metadata.c: user metadata of an object in a fixed-size, self-contained struct. */
#include <string.h>
#include <strings.h>

#include "s3store.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

const char *s3store_metadata_get(const s3store_metadata *m, const char *name)
{
    if (m == NULL || name == NULL)
        return NULL;
    for (size_t i = 0; i < m->count; i++) {
        if (strcasecmp(m->text + m->entries[i].name, name) == 0)
            return m->text + m->entries[i].value;
    }
    return NULL;
}

bool s3store_metadata_add(s3store_metadata *m, const char *name, const char *value)
{
    size_t name_size = strlen(name) + 1;
    size_t value_size = strlen(value) + 1;
    if (m->count >= S3STORE_METADATA_MAX_ENTRIES)
        return false;
    size_t room = sizeof m->text - m->text_size;
    if (name_size > room || value_size > room - name_size)
        return false;
    char *at = m->text + m->text_size;
    for (size_t i = 0; i < name_size; i++)
        at[i] = lower(name[i]);
    memcpy(at + name_size, value, value_size);
    m->entries[m->count].name = (uint16_t)m->text_size;
    m->entries[m->count].value = (uint16_t)(m->text_size + name_size);
    m->count++;
    m->text_size += name_size + value_size;
    return true;
}
