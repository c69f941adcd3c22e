/* uuid.c: attempt ids (docs/FORMAT.md "Attempt ids"). */
#include "base/uuid.h"

#include "base/bytes.h"
#include "base/env_private.h"

s3store_status s3s_attempt_id(s3s_env *env, char out[S3S_ATTEMPT_ID_SIZE + 1], s3store_error *err)
{
    uint8_t id[16];
    s3store_status status = s3s_random(env, id + 8, 8, err);
    if (status != S3STORE_OK) {
        out[0] = '\0';
        return status;
    }

    int64_t now_ns = s3s_env_wall_ns(env); /* before the lock, as s3s_stamp_us does */
    s3s_sequence *sequence = s3s_env_sequence_lock(env);
    uint64_t ns = now_ns > 0 ? (uint64_t)now_ns : 0;
    uint64_t value = (ns / 1000000) << 12 | (ns % 1000000) >> 8;
    if (value <= sequence->last_id)
        value = sequence->last_id + 1;
    sequence->last_id = value;
    s3s_env_sequence_unlock(env);

    uint64_t ms = value >> 12;
    for (int i = 0; i < 6; i++)
        id[i] = (uint8_t)(ms >> (40 - 8 * i));
    id[6] = (uint8_t)(0x70 | (value >> 8 & 0x0F));
    id[7] = (uint8_t)value;
    id[8] = (uint8_t)((id[8] & 0x3F) | 0x80);
    s3s_hex(id, sizeof id, out);
    return S3STORE_OK;
}

bool s3s_attempt_id_valid(const char *text, size_t size)
{
    if (size != S3S_ATTEMPT_ID_SIZE)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    }
    return true;
}
