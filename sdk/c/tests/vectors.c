/* Decodes golden vectors. Reads lines "<kind> <hex>" and writes for each the
 * decoded value, or the name of the error, in the form that tests/csdk expects. It also
 * checks that every proper prefix of a valid input is truncated, and that no byte beyond
 * the input is read. */
#include <upload_response.h>

#include "guard.h"

static const char *const faults[] = {"ok",     "truncated",    "magic",     "stream-version", "frame-type",
                                     "kind",   "http-version", "varint",    "length",         "too-many-fields",
                                     "method", "scheme",       "authority", "path",           "status",
                                     "name",   "value"};
static const char *const message_faults[] = {"ok", "truncated", "format", "type", "too-long"};

static void put_hex(const void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        printf("%02x", ((const unsigned char *)bytes)[i]);
    }
}

static void put_string(const char *name, ur_str s) {
    printf(" %s=", name);
    put_hex(s.data, s.length);
}

static void put_lower(ur_str s) {
    for (size_t i = 0; i < s.length; i++) {
        printf("%02x", ur__lower((uint8_t)s.data[i]));
    }
}

/* Writes a header list that has been checked, and its encoding. */
static void put_list(const unsigned char *bytes, size_t size, size_t at, size_t count) {
    static ur_header fields[UR__MAX_FIELDS];
    static unsigned char again[1 << 18];
    struct ur__cursor c = ur__cursor_at(bytes, size);
    c.at = at;
    for (size_t i = 0; i < count; i++) {
        fields[i] = ur__field(&c);
        CHECK(c.fault == UR__OK);
        printf(" ");
        put_lower(fields[i].name);
        printf(":");
        put_hex(fields[i].value.data, fields[i].value.length);
    }
    size_t length = ur__list_size(ur__array(fields, count));
    CHECK(length > 0 && length <= sizeof again && ur__put_list(again, ur__array(fields, count)) == again + length);
    printf(" encoded=");
    put_hex(again, length);
}

static enum ur__fault parse(const char *kind, const unsigned char *b, size_t size, struct ur__head *h,
                            unsigned *status) {
    if (strcmp(kind, "request") == 0) {
        return ur__parse_request(h, b, size);
    }
    if (strcmp(kind, "response") == 0) {
        return ur__parse_response(h, status, b, size);
    }
    struct ur__cursor c = ur__cursor_at(b, size), list;
    memset(h, 0, sizeof *h);
    h->count = ur__skip_fields(&c);
    list = ur__cursor_at(b, size);
    (void)ur__field_count(&list);
    h->fields_at = list.at;
    h->length = c.at;
    return c.fault;
}

static void frame(const char *kind, const unsigned char *input, size_t size) {
    struct ur__head h;
    unsigned status = 0;
    const unsigned char *b = guarded_copy(input, size);
    enum ur__fault fault = parse(kind, b, size, &h, &status);
    if (fault != UR__OK) {
        printf("error %s\n", faults[fault]);
        return;
    }
    printf("ok %zu", h.length);
    if (strcmp(kind, "request") == 0) {
        printf(" id=%llu version=%d", (unsigned long long)h.stream_id, h.version);
        put_string("method", h.method);
        put_string("scheme", h.scheme);
        put_string("authority", h.authority);
        put_string("path", h.path);
    } else if (strcmp(kind, "response") == 0) {
        unsigned char head[18 + 1];
        printf(" id=%llu version=%d status=%u", (unsigned long long)h.stream_id, h.version, status);
        CHECK(ur__put_response(head, h.stream_id, h.version, status, ur__array(NULL, 0)) == head + 19 &&
              memcmp(head, b, 18) == 0);
    }
    put_list(b, size, h.fields_at, h.count);
    printf("\n");
    size_t length = h.length;
    for (size_t n = 0; n < length; n++) {
        CHECK(parse(kind, guarded_copy(input, n), n, &h, &status) == UR__TRUNCATED);
    }
}

static void message(const unsigned char *input, size_t size) {
    static unsigned char again[UR__MAX_MESSAGE];
    struct ur__message m;
    const unsigned char *b = guarded_copy(input, size);
    enum ur__message_fault fault = ur__decode(&m, b, size);
    if (fault != UR__MESSAGE_OK) {
        printf("error %s\n", message_faults[fault]);
        return;
    }
    printf("ok %s", ur__message_names[m.kind]);
    for (size_t k = 0; k < UR__KEYS; k++) {
        const char *at = (const char *)&m + ur__keys[k].at;
        if (ur__keys[k].kind == m.kind && ur__keys[k].most == 0) {
            ur_str s;
            memcpy(&s, at, sizeof s);
            put_string(ur__keys[k].name, s);
        } else if (ur__keys[k].kind == m.kind) {
            uint64_t n;
            memcpy(&n, at, sizeof n);
            printf(" %s=%llu", ur__keys[k].name, (unsigned long long)n);
        }
    }
    printf(" encoded=");
    size_t length = ur__encode(&m, again);
    CHECK(length > 0);
    put_hex(again, length);
    printf("\n");
    for (size_t n = 0; n < size; n++) {
        CHECK(ur__decode(&m, guarded_copy(input, n), n) == UR__MESSAGE_TRUNCATED);
    }
}

static int digit(int c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

int main(void) {
    static char line[1 << 20], kind[16];
    static unsigned char bytes[1 << 19];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *hex = strchr(line, ' ');
        CHECK(hex != NULL && (size_t)(hex - line) < sizeof kind);
        memset(kind, 0, sizeof kind);
        memcpy(kind, line, (size_t)(hex - line));
        size_t size = 0;
        for (hex++; hex[0] > ' '; hex += 2) {
            bytes[size++] = (unsigned char)(digit(hex[0]) << 4 | digit(hex[1]));
        }
        if (strcmp(kind, "message") == 0) {
            message(bytes, size);
        } else {
            frame(kind, bytes, size);
        }
    }
    return 0;
}
