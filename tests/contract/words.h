/* tests/contract/words.h: the small words of the contract suite. */
#ifndef S3S_TESTS_CONTRACT_WORDS_H
#define S3S_TESTS_CONTRACT_WORDS_H

#include "base/buffer.h"
#include "contract/contract.h"
#include "support/test.h"

/* The store under test. */
extern const s3s_contract *the;

#define KEY_ROOM 2048
#define LIST_ROOM 2000
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What a LIST gave. */
typedef struct listed {
    size_t count;
    size_t stop_at; /* fn returns false with this many; 0 = never */
    char *keys[LIST_ROOM];
    bool is_prefix[LIST_ROOM];
    uint64_t sizes[LIST_ROOM];
    int64_t times[LIST_ROOM];
} listed;

/* The key of a name below this test's own folder. */
const char *key_of(const char *folder, const char *name);
s3store_put_request put_request(const char *key, const void *body, size_t size);
void put_text(const char *key, const char *text);
s3store_get_request get_request(const char *key);
/* The body of an object as text in buffer. */
s3store_status get_into(s3s_buffer *buffer, const s3store_get_request *request,
                        s3store_object_info *info, s3store_error *err);
void expect_body(const s3store_get_request *request, const void *data, size_t size);
void expect_text(const char *key, const char *text);
void expect_missing(const char *key);
void expect_metadata(const char *key, const s3store_metadata_entry *entries, size_t count);
bool collect(void *ctx, const s3store_list_entry *entry);
void listed_clear(listed *l);
/* All pages of `max_keys`; the number of pages. */
size_t list_pages(listed *l, const char *prefix, const char *start_after,
                  const char *delimiter, uint32_t max_keys);
int by_bytes(const void *a, const void *b);
/* The list is exactly these keys, which are sorted. */
void expect_keys(const listed *l, const char *const *keys, size_t count);
listed *new_listed(void);
void free_listed(listed *l);
/* Puts each name (as its own text), and gives the sorted keys: free each and the array. */
char **put_names(const char *folder, const char *const *names, size_t count);
void free_names(char **keys, size_t count);

/* The claims, by subject; each returns the number of those that failed. */
int contract_objects(void);
int contract_keys(void);
int contract_lists(void);
int contract_conditions(void);
int contract_uploads(void);

#endif
