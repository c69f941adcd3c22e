/* dataset/quote.c: see quote.h. */
#include "dataset/quote.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

s3s_quoted s3s_quote(const char *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    /* Room that stays free for the longest ending: quote, three dots, NUL. */
    const size_t room = S3S_QUOTE_SIZE - 5;
    s3s_quoted q;
    size_t at = 0;
    size_t i = 0;

    q.text[at++] = '"';
    for (; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        bool plain = c >= 0x20 && c != 0x7F && c != '"' && c != '\\';
        if (at + (plain ? 1 : 4) > room)
            break;
        if (plain) {
            q.text[at++] = (char)c;
            continue;
        }
        q.text[at++] = '\\';
        q.text[at++] = 'x';
        q.text[at++] = digits[c >> 4];
        q.text[at++] = digits[c & 15];
    }
    /* Not in the middle of a UTF-8 sequence, whose bytes were all copied as they are. */
    for (int back = 0; back < 3 && i < size; back++) {
        if (((unsigned char)data[i] & 0xC0) != 0x80 || (unsigned char)data[i - 1] < 0x80)
            break;
        i--;
        at--;
    }
    q.text[at++] = '"';
    if (i < size) {
        memcpy(q.text + at, "...", 3);
        at += 3;
    }
    q.text[at] = '\0';
    return q;
}

s3s_quoted s3s_quote_text(const char *text)
{
    if (text != NULL)
        return s3s_quote(text, strlen(text));
    s3s_quoted q = {"(none)"};
    return q;
}

void s3s_name_list_add(s3s_name_list *list, const char *name)
{
    size_t room = sizeof list->text - list->size;
    int n = snprintf(list->text + list->size, room, "%s%s", list->size > 0 ? "," : "", name);

    if ((size_t)n < room) {
        list->size += (size_t)n;
        return;
    }
    memcpy(list->text + sizeof list->text - 4, "...", 4);
    list->size = sizeof list->text - 1;
}
