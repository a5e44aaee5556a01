/* How does a library become a wxbot plugin? It exports wxbot_plugin_entry_v1, and answers through this table.
 *
 * This is the authority on the memory layout of ABI major 1. Within a major the tables only grow at their end: read a
 * field only if `size` covers it. The minor in use is the lower of the two.
 *
 * Rules
 *  1. `done` runs exactly once for every `call`, from any thread, possibly before `call` returns. Call id 0: nothing to
 *     cancel.
 *  2. `cancel` is advisory and may come any number of times; the call still ends through `done`, with WX_CANCELLED unless
 *     it finished first.
 *  3. `call` and `done` never block, and never hold a lock while they call the other side.
 *  4. Nothing unwinds across: no C++ exception, no Rust panic, no longjmp.
 *  5. Each side frees its own memory: a wx_buf only through its `free`. A wx_slice is lent until the call returns.
 *  6. The host's table lives as long as the process. After `destroy` its functions answer WX_HOST_GONE.
 *  7. `destroy` comes after all calls of the instance have ended, `shutdown` after all instances were destroyed.
 *
 * All functions may be called from any thread, several at once.
 */
#ifndef WXBOT_PLUGIN_H
#define WXBOT_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WX_MAGIC 0x004c50544f425857ull /* "WXBOTPL\0", little-endian */
#define WX_MINOR 0

/* How a call ended. Read one that you do not know as WX_ERROR. */
enum {
    WX_OK = 0,
    WX_ERROR = 1,
    WX_PANIC = 2,
    WX_CANCELLED = 3,
    WX_DECODE = 4,
    WX_UNSUPPORTED = 5,
    WX_STOPPING = 6,
    WX_DENIED = 7,
    WX_BUSY = 8,
    WX_TIMEOUT = 9,
    WX_HOST_GONE = 10,
    WX_INTERNAL = 11
};

/* What the host asks of a plugin. Answer WX_UNSUPPORTED to one that you do not know. */
enum {
    WX_OP_INIT = 1,    /* start, with the settings given to `create` */
    WX_OP_START = 2,   /* events come from now on */
    WX_OP_EVENT = 3,   /* a message, a notice, a due timer or schedule; answered with effects */
    WX_OP_COMMAND = 4, /* answered with effects */
    WX_OP_STOP = 5,    /* no more events come */
    WX_OP_HEALTH = 6,
    WX_OP_RESUME = 7, /* the next message of a parked dialog */
    WX_OP_GUARD = 8,  /* may this event go on along the chain? */
    WX_OP_CHECK = 9,  /* are the settings good? Asked instead of WX_OP_INIT; answered with a list of what is wrong */
    WX_OP_FORGET = 10 /* a parked dialog gets no answer any more */
};

/* What a plugin asks of the host. */
enum {
    WX_HOST_ACTION = 1,
    WX_HOST_KV_GET = 2,
    WX_HOST_KV_PUT = 3,
    WX_HOST_LOOKUP = 4,
    WX_HOST_MEDIA = 5,
    WX_HOST_RELEASE = 6, /* a fetched file is needed no longer */
    WX_HOST_KV_LIST = 7
};

/* Levels of log records, and what `log_level` answers: the most verbose one that is wanted. */
enum { WX_LOG_OFF = 0, WX_LOG_ERROR = 1, WX_LOG_WARN = 2, WX_LOG_INFO = 3, WX_LOG_DEBUG = 4, WX_LOG_TRACE = 5 };

/* Lent until the call returns. `ptr` may be null when `len` is 0. */
typedef struct {
    const uint8_t *ptr;
    size_t len;
} wx_slice;

/* Given away. Freed only through `free`, which may be null when there is nothing to free. */
typedef struct {
    uint8_t *ptr;
    size_t len, cap;
    void (*free)(uint8_t *ptr, size_t len, size_t cap);
} wx_buf;

/* Ends a call. The receiver takes the contents of `reply`, which may be null. When `status` is not WX_OK the reply is a
 * MessagePack map {code, message, retryable}, or empty. */
typedef void (*wx_done)(void *user, int32_t status, wx_buf *reply);

/* What wxbot offers to one instance. Log records are MessagePack maps {level, target, message, fields: [[name, value]]}. */
typedef struct {
    uint32_t size, minor;
    void *ctx; /* give it back with each call */
    uint32_t (*log_level)(void *ctx);
    void (*log)(void *ctx, wx_slice record);
    uint64_t (*call)(void *ctx, uint32_t op, wx_slice payload, void *user, wx_done done);
} wx_host_v1;

typedef struct {
    uint64_t magic;       /* WX_MAGIC */
    uint32_t size, minor; /* sizeof this table as built; the highest minor spoken */
    int32_t (*manifest)(wx_buf *out); /* JSON */
    /* Makes an instance with these settings (JSON). Not WX_OK: `error` says why, as in the reply of a call. */
    int32_t (*create)(const wx_host_v1 *host, wx_slice settings, void **instance, wx_buf *error);
    uint64_t (*call)(void *instance, uint32_t op, wx_slice payload, void *user, wx_done done);
    void (*cancel)(void *instance, uint64_t call_id);
    void (*destroy)(void *instance);
    int32_t (*shutdown)(uint64_t timeout_ms);
} wx_plugin_v1;

/* The one symbol that wxbot looks for: a static table. No threads, no I/O, cannot fail. */
const wx_plugin_v1 *wxbot_plugin_entry_v1(void);

#ifdef __cplusplus
}
#endif

#endif
