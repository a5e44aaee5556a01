/* Does a plugin need Rust? No: this one answers. Built with -DWRONG_… it is wrong in one way, for the refusals. */
#include "wxbot_plugin.h"
#include <stdlib.h>
#include <string.h>

static void give_back(uint8_t *ptr, size_t len, size_t cap) {
    (void)len, (void)cap;
    free(ptr);
}

static wx_buf give(const void *bytes, size_t len) {
    wx_buf buf = {malloc(len + 1), len, len + 1, give_back};
    memcpy(buf.ptr, bytes, len);
    return buf;
}

static int32_t manifest(wx_buf *out) {
#if defined(WRONG_PANIC)
    const char *text = "{\"id\":\"c\",\"build\":{\"panic\":\"abort\"}}";
#elif defined(WRONG_MANIFEST)
    const char *text = "{\"id\":";
#else
    const char *text = "{\"id\":\"c\",\"about\":\"Written in C.\"}";
#endif
    *out = give(text, strlen(text));
    return WX_OK;
}

static int32_t create(const wx_host_v1 *host, wx_slice settings, void **instance, wx_buf *error) {
    (void)settings, (void)error;
    *instance = (void *)host;
    return WX_OK;
}

static uint64_t call(void *instance, uint32_t op, wx_slice payload, void *user, wx_done done) {
    const wx_host_v1 *host = instance;
    wx_buf reply = {0};
    switch (op) {
    case WX_OP_INIT:
    case WX_OP_STOP:
        done(user, WX_OK, NULL);
        return 0;
    case WX_OP_EVENT:
        reply = give(payload.ptr, payload.len);
        done(user, WX_OK, &reply);
        return 0;
    case WX_OP_COMMAND: /* ends with a status from the future, and with what cannot be read */
        reply = give("\xc1", 1);
        done(user, 1000, &reply);
        return 0;
    case WX_OP_HEALTH: /* twice, and never issued: wrong, but the host must not fall over it */
        done(user, WX_OK, NULL);
        done(user, WX_OK, NULL);
        done(NULL, WX_OK, NULL);
        return 0;
    case WX_OP_RESUME: /* asks the host, which answers the host itself */
        return host->call(host->ctx, WX_HOST_LOOKUP, payload, user, done);
    case WX_OP_GUARD: /* never ends, whatever anybody says */
        return 1;
    default:
        done(user, WX_UNSUPPORTED, NULL);
        return 0;
    }
}

static void cancel(void *instance, uint64_t call_id) { (void)instance, (void)call_id; }
static void destroy(void *instance) { (void)instance; }
static int32_t shutdown(uint64_t timeout_ms) {
    (void)timeout_ms;
    return WX_OK;
}

static const wx_plugin_v1 TABLE = {
#if defined(WRONG_MAGIC)
    .magic = WX_MAGIC + 1,
#else
    .magic = WX_MAGIC,
#endif
#if defined(WRONG_SIZE)
    .size = offsetof(wx_plugin_v1, shutdown),
#else
    .size = sizeof(wx_plugin_v1),
#endif
    .minor = WX_MINOR,
    .manifest = manifest,
    .create = create,
    .call = call,
#if !defined(WRONG_FUNCTION)
    .cancel = cancel,
#endif
    .destroy = destroy,
    .shutdown = shutdown,
};

#if defined(WRONG_MAJOR)
const wx_plugin_v1 *wxbot_plugin_entry_v2(void);
const wx_plugin_v1 *wxbot_plugin_entry_v2(void) { return &TABLE; }
#elif defined(WRONG_SYMBOL)
const void *some_other_library(void);
const void *some_other_library(void) { return &TABLE; }
#else
const wx_plugin_v1 *wxbot_plugin_entry_v1(void) { return &TABLE; }
#endif

#if defined(WRONG_LINK)
int function_that_nobody_has(void);
int needs_it(void);
int needs_it(void) { return function_that_nobody_has(); }
#endif

#if defined(WRONG_START)
#include <unistd.h>
__attribute__((constructor)) static void hang(void) { sleep(2); }
#endif

#if defined(COPY)
int copy_number(void);
int copy_number(void) { return COPY; }
#endif
