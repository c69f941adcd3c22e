/* parquet/thrift/wire.h: the type numbers of the compact protocol, for its reader and writer. */
#ifndef S3S_PARQUET_THRIFT_WIRE_H
#define S3S_PARQUET_THRIFT_WIRE_H

enum {
    S3S_WIRE_STOP = 0,
    S3S_WIRE_TRUE = 1, /* as a field's type it carries the value; in a list it only says bool */
    S3S_WIRE_FALSE = 2,
    S3S_WIRE_BYTE = 3,
    S3S_WIRE_I16 = 4,
    S3S_WIRE_I32 = 5,
    S3S_WIRE_I64 = 6,
    S3S_WIRE_DOUBLE = 7,
    S3S_WIRE_BINARY = 8,
    S3S_WIRE_LIST = 9,
    S3S_WIRE_SET = 10,
    S3S_WIRE_MAP = 11,
    S3S_WIRE_STRUCT = 12,
    S3S_WIRE_UUID = 13,
};

#endif
