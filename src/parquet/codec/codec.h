/* parquet/codec/codec.h: page compression. Every codec is a row of one table; the libraries are
 * used in this folder and nowhere else.
 */
#ifndef S3S_PARQUET_CODEC_H
#define S3S_PARQUET_CODEC_H

#include "base/env.h"
#include "parquet/format.h"

/* What codecs keep between pages (contexts of the libraries). Zeroed but for env; one thread. */
typedef struct s3s_codec_state {
    s3s_env *env;
    void *zstd_in, *zstd_out;
    void *deflate_in, *deflate_out;
} s3s_codec_state;

void s3s_codec_init(s3s_codec_state *state, s3s_env *env);
void s3s_codec_deinit(s3s_codec_state *state);

typedef struct s3s_codec {
    s3s_codec_id id;
    const char *name;
    /* Bytes that one compressed byte can become at most; 0 = no useful bound. A page that claims
     * more is refused before memory is taken for it. */
    uint32_t max_ratio;
    /* Fills exactly out_size bytes, or fails (CORRUPT). */
    s3store_status (*decompress)(s3s_codec_state *state, const uint8_t *in, size_t in_size,
                                 uint8_t *out, size_t out_size, s3store_error *err);
    /* Room that compress needs; both NULL: the codec only reads. */
    size_t (*max_compressed)(size_t size);
    /* *out_size: room in, bytes written out. */
    s3store_status (*compress)(s3s_codec_state *state, const uint8_t *in, size_t in_size,
                               uint8_t *out, size_t *out_size, s3store_error *err);
} s3s_codec;

/* NULL for a number that is no codec, or one without a decoder (LZO). */
const s3s_codec *s3s_codec_by_id(int32_t id);
/* "LZO" too; "?" for numbers that are none. */
const char *s3s_codec_name(int32_t id);

#endif
