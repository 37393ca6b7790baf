/* ------------------------------------------------------------------- HPKS
 *
 * The format of the headers slot, version 1: "HPKS", u8 1, u8 frame (1 headers),
 * u64 big-endian stream id, u8 kind (1 request, 2 response), u8 HTTP version; then
 * method, scheme, authority and path, each a varint length and bytes, or a u16
 * big-endian status; then fields: a varint count, and for each the lengths and
 * bytes of name and value. A varint is unsigned LEB128 of at most 10 bytes. A
 * trailers slot holds fields alone.
 *
 * Decoding is in place: its results point into the input. Trailers are decoded in shared
 * memory, which may change: every length is read once and checked before it is used. A
 * head is copied first, and the copy is walked again. */

enum ur__fault {
    UR__OK,
    UR__TRUNCATED,
    UR__BAD_MAGIC,
    UR__BAD_STREAM_VERSION,
    UR__BAD_FRAME_TYPE,
    UR__BAD_KIND,
    UR__BAD_HTTP_VERSION,
    UR__BAD_VARINT,
    UR__BAD_LENGTH,
    UR__TOO_MANY_FIELDS,
    UR__BAD_METHOD,
    UR__BAD_SCHEME,
    UR__BAD_AUTHORITY,
    UR__BAD_PATH,
    UR__BAD_STATUS,
    UR__BAD_NAME,
    UR__BAD_VALUE
};

enum {
    UR__MAX_FIELDS = 8192,
    UR__MAX_NAME = 65535,
    UR__HEAD_BYTES = 14,
    UR__NOT_TOKEN = 1,
    UR__NOT_VALUE = 2,
    UR__NOT_PATH = 4,
    UR__NOT_SCHEME = 8,
    UR__NOT_AUTHORITY = 16,
    UR__UPPER = 32 /* also the bit that makes a letter lower-case */
};

/* Where each ASCII byte is forbidden; other bytes are forbidden in tokens, schemes and
 * authorities. */
/* clang-format off */
static const uint8_t ur__classes[128] = {
    31, 31, 31, 31, 31, 31, 31, 31, 31, 29, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    29,  8, 25, 24,  8,  8,  8,  8,  9,  9,  8,  0,  9,  0,  0, 25,
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  9,  9, 25,  9, 25, 25,
     9, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
    32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,  9, 25,  9, 24,  8,
    24,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0, 25, 24, 25,  8, 31};
/* clang-format on */

static inline unsigned ur__class(uint8_t c) {
    return c < 128 ? ur__classes[c] : (unsigned)(UR__NOT_TOKEN | UR__NOT_SCHEME | UR__NOT_AUTHORITY);
}

/* The union of the classes of all bytes. */
static inline unsigned ur__classes_of(ur_str s) {
    unsigned all = 0;
    for (size_t i = 0; i < s.length; i++) {
        all |= ur__class((uint8_t)s.data[i]);
    }
    return all;
}

static inline uint8_t ur__lower(uint8_t c) { return (uint8_t)(c | (ur__class(c) & UR__UPPER)); }

/* A position in bytes. After the first fault it is at the end of them, so that a parser
 * reads like the layout that it parses, and checks fault only at its end. */
struct ur__cursor {
    const uint8_t *bytes;
    size_t length, at;
    enum ur__fault fault;
};

static inline struct ur__cursor ur__cursor_at(const void *bytes, size_t length) {
    struct ur__cursor c;
    c.bytes = (const uint8_t *)bytes;
    c.length = length;
    c.at = 0;
    c.fault = UR__OK;
    return c;
}

static inline void ur__cursor_fail(struct ur__cursor *c, enum ur__fault fault) {
    if (c->fault == UR__OK) {
        c->fault = fault;
        c->length = c->at;
    }
}

static inline uint64_t ur__varint(struct ur__cursor *c) {
    uint64_t n = 0;
    for (unsigned i = 0; i < 10; i++) {
        if (c->at + i >= c->length) {
            ur__cursor_fail(c, UR__TRUNCATED);
            return 0;
        }
        uint8_t b = ur__load8(c->bytes + c->at + i);
        if (i == 9 && b > 1) {
            break;
        }
        n |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b < 0x80) {
            c->at += i + 1;
            return n;
        }
    }
    ur__cursor_fail(c, UR__BAD_VARINT);
    return 0;
}

/* A length, and as many bytes. */
static inline ur_str ur__string(struct ur__cursor *c) {
    ur_str s = {NULL, 0};
    uint64_t n = ur__varint(c);
    if (n > INT64_MAX) {
        ur__cursor_fail(c, UR__BAD_LENGTH);
    } else if (n > c->length - c->at) {
        ur__cursor_fail(c, UR__TRUNCATED);
    } else if (c->fault == UR__OK) {
        s.data = (const char *)c->bytes + c->at;
        s.length = (size_t)n;
        c->at += (size_t)n;
    }
    return s;
}

static inline ur_str ur__checked_string(struct ur__cursor *c, unsigned forbidden, enum ur__fault fault) {
    ur_str s = ur__string(c);
    if (ur__classes_of(s) & forbidden) {
        ur__cursor_fail(c, fault);
    }
    return s;
}

/* The first 16 bytes of a headers frame. Returns the HTTP version. */
static inline uint8_t ur__frame_head(struct ur__cursor *c, uint8_t kind, uint64_t *stream_id) {
    const uint8_t *b = c->bytes;
    *stream_id = 0;
    if (c->length < 4) {
        ur__cursor_fail(c, UR__TRUNCATED);
    } else if (memcmp(b, "HPKS", 4) != 0) {
        ur__cursor_fail(c, UR__BAD_MAGIC);
    } else if (c->length < 6) {
        ur__cursor_fail(c, UR__TRUNCATED);
    } else if (b[4] != 1) {
        ur__cursor_fail(c, UR__BAD_STREAM_VERSION);
    } else if (c->length < UR__HEAD_BYTES) {
        ur__cursor_fail(c, UR__TRUNCATED);
    } else if (b[5] != 1) {
        ur__cursor_fail(c, UR__BAD_FRAME_TYPE);
    } else if (c->length < UR__HEAD_BYTES + 2) {
        ur__cursor_fail(c, UR__TRUNCATED);
    } else if (b[14] != kind) {
        ur__cursor_fail(c, UR__BAD_KIND);
    } else if (b[15] < 1 || b[15] > 3) {
        ur__cursor_fail(c, UR__BAD_HTTP_VERSION);
    }
    if (c->fault != UR__OK) {
        return 0;
    }
    for (int i = 6; i < UR__HEAD_BYTES; i++) {
        *stream_id = *stream_id << 8 | b[i];
    }
    c->at = UR__HEAD_BYTES + 2;
    return b[15];
}

static inline size_t ur__field_count(struct ur__cursor *c) {
    uint64_t n = ur__varint(c);
    if (n > UR__MAX_FIELDS) {
        ur__cursor_fail(c, UR__TOO_MANY_FIELDS);
    } else if (n * 3 > c->length - c->at) { /* a field has at least three bytes */
        ur__cursor_fail(c, UR__TRUNCATED);
    }
    return c->fault == UR__OK ? (size_t)n : 0;
}

static inline int ur__good_name(ur_str name) {
    return name.length >= 1 && name.length <= UR__MAX_NAME && !(ur__classes_of(name) & UR__NOT_TOKEN);
}

static inline ur_header ur__field(struct ur__cursor *c) {
    ur_header f;
    f.name = ur__string(c);
    if (c->fault == UR__OK && !ur__good_name(f.name)) {
        ur__cursor_fail(c, UR__BAD_NAME);
    }
    f.value = ur__checked_string(c, UR__NOT_VALUE, UR__BAD_VALUE);
    return f;
}

/* Checks a header list and returns how many fields it has. */
static inline size_t ur__skip_fields(struct ur__cursor *c) {
    size_t count = ur__field_count(c);
    for (size_t i = 0; i < count && c->fault == UR__OK; i++) {
        (void)ur__field(c);
    }
    return count;
}

/* A decoded headers frame of a request. */
struct ur__head {
    uint64_t stream_id;
    ur_str method, scheme, authority, path;
    size_t fields_at, count; /* the first field, in bytes from the start of the frame */
    size_t length;           /* of the frame */
    uint8_t version;
};

static inline enum ur__fault ur__parse_request(struct ur__head *h, const void *bytes, size_t length) {
    struct ur__cursor c = ur__cursor_at(bytes, length);
    memset(h, 0, sizeof *h);
    h->version = ur__frame_head(&c, 1, &h->stream_id);
    h->method = ur__checked_string(&c, UR__NOT_TOKEN, UR__BAD_METHOD);
    if (h->method.length == 0) {
        ur__cursor_fail(&c, UR__BAD_METHOD);
    }
    h->scheme = ur__checked_string(&c, UR__NOT_SCHEME, UR__BAD_SCHEME);
    h->authority = ur__checked_string(&c, UR__NOT_AUTHORITY, UR__BAD_AUTHORITY);
    h->path = ur__checked_string(&c, UR__NOT_PATH, UR__BAD_PATH);
    if (h->path.length == 0) {
        ur_str root = UR_LIT("/");
        h->path = root;
    }
    struct ur__cursor list = c;
    h->count = ur__skip_fields(&c);
    (void)ur__field_count(&list);
    h->fields_at = list.at;
    h->length = c.at;
    return c.fault;
}

/* A decoded headers frame of a response, for tests. */
static inline enum ur__fault ur__parse_response(struct ur__head *h, unsigned *status, const void *bytes,
                                                size_t length) {
    struct ur__cursor c = ur__cursor_at(bytes, length);
    memset(h, 0, sizeof *h);
    *status = 0;
    h->version = ur__frame_head(&c, 2, &h->stream_id);
    if (c.length - c.at < 2) {
        ur__cursor_fail(&c, UR__TRUNCATED);
    } else {
        *status = (unsigned)c.bytes[c.at] << 8 | c.bytes[c.at + 1];
        if (*status < 100 || *status > 999) {
            ur__cursor_fail(&c, UR__BAD_STATUS);
        } else {
            c.at += 2;
        }
    }
    struct ur__cursor list = c;
    h->count = ur__skip_fields(&c);
    (void)ur__field_count(&list);
    h->fields_at = list.at;
    h->length = c.at;
    return c.fault;
}

static inline size_t ur__varint_size(uint64_t n) {
    size_t size = 1;
    for (; n >= 0x80; n >>= 7) {
        size++;
    }
    return size;
}

static inline uint8_t *ur__put_varint(uint8_t *to, uint64_t n) {
    for (; n >= 0x80; n >>= 7) {
        *to++ = (uint8_t)(n | 0x80);
    }
    *to++ = (uint8_t)n;
    return to;
}

static inline uint8_t *ur__put_string(uint8_t *to, ur_str s) {
    to = ur__put_varint(to, s.length);
    if (s.length > 0) {
        memcpy(to, s.data, s.length);
    }
    return to + s.length;
}

/* A header list as the caller has it: an array, or a flat text. */
struct ur__list {
    const ur_header *fields; /* NULL: flat */
    const char *flat;
    size_t count, length;
};

static inline struct ur__list ur__array(const ur_header *fields, size_t count) {
    struct ur__list list;
    memset(&list, 0, sizeof list);
    list.fields = fields;
    list.count = count;
    return list;
}

/* Takes the text up to the next NUL off a flat list. data is NULL without one. */
static inline ur_str ur__flat_text(struct ur__list *list) {
    ur_str s = {NULL, 0};
    const char *end = list->length > 0 ? (const char *)memchr(list->flat, '\0', list->length) : NULL;
    if (end != NULL) {
        s.data = list->flat;
        s.length = (size_t)(end - list->flat);
        list->flat += s.length + 1;
        list->length -= s.length + 1;
    }
    return s;
}

/* Counts the fields of a flat list. A list that is cut off counts as too long. */
static inline struct ur__list ur__flat(const char *flat, size_t length) {
    struct ur__list list = ur__array(NULL, 0), rest;
    list.flat = flat;
    list.length = length;
    for (rest = list; rest.length > 0; list.count++) {
        (void)ur__flat_text(&rest);
        if (ur__flat_text(&rest).data == NULL) {
            list.count = UR__MAX_FIELDS + 1;
            return list;
        }
    }
    return list;
}

/* Takes the next field off a list. Preconditions: there is one. */
static inline ur_header ur__next_field(struct ur__list *list) {
    ur_header f;
    if (list->fields != NULL) {
        return *list->fields++;
    }
    f.name = ur__flat_text(list);
    f.value = ur__flat_text(list);
    return f;
}

/* The length of a header list in a frame, or 0 if one of its fields is not allowed. */
static inline size_t ur__list_size(struct ur__list list) {
    if (list.count > UR__MAX_FIELDS) {
        return 0;
    }
    size_t size = ur__varint_size(list.count);
    for (size_t i = 0; i < list.count; i++) {
        ur_header f = ur__next_field(&list);
        if (!ur__good_name(f.name) || (ur__classes_of(f.value) & UR__NOT_VALUE)) {
            return 0;
        }
        size += ur__varint_size(f.name.length) + f.name.length + ur__varint_size(f.value.length) + f.value.length;
    }
    return size;
}

/* Preconditions: ur__list_size is not 0, and `to` has that many bytes. */
static inline uint8_t *ur__put_list(uint8_t *to, struct ur__list list) {
    to = ur__put_varint(to, list.count);
    for (size_t i = 0; i < list.count; i++) {
        ur_header f = ur__next_field(&list);
        to = ur__put_string(to, f.name);
        for (uint8_t *c = to - f.name.length; c < to; c++) {
            *c = ur__lower(*c);
        }
        to = ur__put_string(to, f.value);
    }
    return to;
}

/* Writes the headers frame of a response. Preconditions: `to` has room for 18 bytes and
 * the fields. */
static inline uint8_t *ur__put_response(uint8_t *to, uint64_t stream_id, uint8_t version, unsigned status,
                                        struct ur__list list) {
    memcpy(to, "HPKS\x01\x01", 6);
    for (int i = 0; i < 8; i++) {
        to[6 + i] = (uint8_t)(stream_id >> (56 - 8 * i));
    }
    to[14] = 2;
    to[15] = version;
    to[16] = (uint8_t)(status >> 8);
    to[17] = (uint8_t)status;
    return ur__put_list(to + 18, list);
}
