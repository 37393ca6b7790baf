/* --------------------------------------------------------- attach messages
 *
 * A packet of at most 4096 bytes is one MessagePack map: keys are strings, values are
 * uints, strings, bins or bools. Key "t" is the type. Unknown keys are ignored; a known
 * key that occurs twice, has another type, or is too large makes the message malformed. */

enum ur__message_fault {
    UR__MESSAGE_OK,
    UR__MESSAGE_TRUNCATED,
    UR__MESSAGE_FORMAT,
    UR__MESSAGE_TYPE,
    UR__MESSAGE_TOO_LONG
};

enum { UR__MAX_MESSAGE = 4096, UR__MAX_KEYS = 64 };

enum ur__message_kind { UR__NO_MESSAGE, UR__HELLO, UR__WELCOME, UR__REFUSAL, UR__DRAIN, UR__BYE };

/* The union of all messages: each kind uses some fields. Strings point into the packet. */
struct ur__message {
    enum ur__message_kind kind;
    uint64_t layout_min, layout_max, features, pid, lanes, stacks;
    uint64_t layout, layout_hash, instance, server_pid, link, link_generation, request_bytes, response_bytes,
        response_timeout_ms;
    uint64_t deadline_ms;
    ur_str pool, name, sdk, sdk_version, bell, server, code, message, reason;
};

struct ur__key {
    enum ur__message_kind kind;
    const char *name;
    size_t at;     /* in struct ur__message */
    uint64_t most; /* of a uint; 0: a string */
};

#define UR__UINT(kind, name, most) {kind, #name, offsetof(struct ur__message, name), most}
#define UR__STRING(kind, name) {kind, #name, offsetof(struct ur__message, name), 0}

/* The keys of each message, in the order in which they are written. */
/* clang-format off */
static const struct ur__key ur__keys[] = {
    UR__UINT(UR__HELLO, layout_min, UINT16_MAX), UR__UINT(UR__HELLO, layout_max, UINT16_MAX),
    UR__UINT(UR__HELLO, features, UINT64_MAX), UR__STRING(UR__HELLO, pool), UR__STRING(UR__HELLO, name),
    UR__UINT(UR__HELLO, pid, UINT32_MAX), UR__STRING(UR__HELLO, sdk), UR__STRING(UR__HELLO, sdk_version),
    UR__UINT(UR__HELLO, lanes, UINT32_MAX), UR__STRING(UR__HELLO, bell), UR__UINT(UR__HELLO, stacks, UINT32_MAX),

    UR__UINT(UR__WELCOME, layout, UINT16_MAX), UR__UINT(UR__WELCOME, features, UINT64_MAX),
    UR__UINT(UR__WELCOME, layout_hash, UINT64_MAX), UR__UINT(UR__WELCOME, instance, UINT64_MAX),
    UR__UINT(UR__WELCOME, server_pid, UINT32_MAX), UR__STRING(UR__WELCOME, server),
    UR__UINT(UR__WELCOME, link, UINT32_MAX), UR__UINT(UR__WELCOME, link_generation, UINT32_MAX),
    UR__UINT(UR__WELCOME, lanes, UINT32_MAX), UR__UINT(UR__WELCOME, request_bytes, UINT64_MAX),
    UR__UINT(UR__WELCOME, response_bytes, UINT64_MAX), UR__UINT(UR__WELCOME, response_timeout_ms, UINT64_MAX),

    UR__STRING(UR__REFUSAL, code), UR__STRING(UR__REFUSAL, message),
    UR__UINT(UR__REFUSAL, layout_min, UINT16_MAX), UR__UINT(UR__REFUSAL, layout_max, UINT16_MAX),

    UR__UINT(UR__DRAIN, deadline_ms, UINT64_MAX),

    UR__STRING(UR__BYE, reason),
};
/* clang-format on */
enum { UR__KEYS = sizeof ur__keys / sizeof ur__keys[0] };

static const char *const ur__message_names[] = {"", "hello", "welcome", "error", "drain", "bye"};

static inline int ur__equals(ur_str s, const char *text) {
    return s.length == strlen(text) && (s.length == 0 || memcmp(s.data, text, s.length) == 0);
}

static inline int ur__valid_utf8(ur_str s) {
    if (s.length == 0) {
        return 1;
    }
    const uint8_t *p = (const uint8_t *)s.data, *end = p + s.length;
    while (p < end) {
        uint8_t c = *p++;
        if (c < 0x80) {
            continue;
        }
        int more = c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0;
        uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (more == 0 || end - p < more || *p < low || *p > high) {
            return 0;
        }
        for (p++; --more > 0; p++) {
            if ((*p & 0xc0) != 0x80) {
                return 0;
            }
        }
    }
    return 1;
}

enum ur__type { UR__A_UINT, UR__A_STRING, UR__ANOTHER };

/* A decoded value of a message. */
struct ur__value {
    enum ur__type type;
    uint64_t uint;
    ur_str string;
};

/* A position in a packet, as ur__cursor. */
struct ur__packet {
    const uint8_t *bytes;
    size_t length, at;
    enum ur__message_fault fault;
};

static inline void ur__packet_fail(struct ur__packet *p, enum ur__message_fault fault) {
    if (p->fault == UR__MESSAGE_OK) {
        p->fault = fault;
        p->length = p->at;
    }
}

/* A big-endian number of n bytes. */
static inline uint64_t ur__packet_number(struct ur__packet *p, unsigned n) {
    uint64_t v = 0;
    if (p->length - p->at < n) {
        ur__packet_fail(p, UR__MESSAGE_TRUNCATED);
        return 0;
    }
    for (unsigned i = 0; i < n; i++) {
        v = v << 8 | p->bytes[p->at++];
    }
    return v;
}

static inline ur_str ur__packet_bytes(struct ur__packet *p, uint64_t n) {
    ur_str s = {NULL, 0};
    if (n > p->length - p->at) {
        ur__packet_fail(p, UR__MESSAGE_TRUNCATED);
        return s;
    }
    s.data = (const char *)p->bytes + p->at;
    s.length = (size_t)n;
    p->at += (size_t)n;
    return s;
}

static inline struct ur__value ur__packet_value(struct ur__packet *p) {
    struct ur__value v;
    memset(&v, 0, sizeof v);
    unsigned code = (unsigned)ur__packet_number(p, 1);
    uint64_t length = 0;
    int string = 0;
    if (p->fault != UR__MESSAGE_OK || code <= 0x7f) {
        v.uint = code;
        return v;
    }
    if (code >= 0xcc && code <= 0xcf) { /* uint8 to uint64 */
        v.uint = ur__packet_number(p, 1u << (code - 0xcc));
        return v;
    }
    if (code >= 0xd0 && code <= 0xd3) { /* int8 to int64 */
        unsigned power = code & 3;
        v.uint = ur__packet_number(p, 1u << power);
        if (v.uint >> ((8u << power) - 1)) {
            ur__packet_fail(p, UR__MESSAGE_FORMAT); /* negative */
        }
        return v;
    }
    if (code >= 0xa0 && code <= 0xbf) { /* fixstr */
        length = code & 0x1f;
        string = 1;
    } else if (code >= 0xd9 && code <= 0xdb) { /* str8 to str32 */
        length = ur__packet_number(p, 1u << (code - 0xd9));
        string = 1;
    } else if (code >= 0xc4 && code <= 0xc6) { /* bin8 to bin32 */
        length = ur__packet_number(p, 1u << (code - 0xc4));
    } else if (code != 0xc2 && code != 0xc3) { /* not a bool either */
        ur__packet_fail(p, UR__MESSAGE_FORMAT);
    }
    v.type = string ? UR__A_STRING : UR__ANOTHER;
    v.string = ur__packet_bytes(p, length);
    if (string && !ur__valid_utf8(v.string)) {
        ur__packet_fail(p, UR__MESSAGE_FORMAT);
    }
    return v;
}

static inline uint64_t ur__packet_map(struct ur__packet *p) {
    unsigned code = (unsigned)ur__packet_number(p, 1);
    uint64_t n = code & 0xf;
    if (code == 0xde || code == 0xdf) {
        n = ur__packet_number(p, code == 0xde ? 2 : 4);
    } else if (code >> 4 != 8) {
        ur__packet_fail(p, UR__MESSAGE_FORMAT);
    }
    if (n > UR__MAX_KEYS) {
        ur__packet_fail(p, UR__MESSAGE_FORMAT);
    }
    return p->fault == UR__MESSAGE_OK ? n : 0;
}

/* Stores the value of a key in its field. */
static inline enum ur__message_fault ur__store_value(struct ur__message *m, const struct ur__key *key,
                                                     const struct ur__value *v) {
    char *at = (char *)m + key->at;
    if (key->most == 0) {
        memcpy(at, &v->string, sizeof v->string);
        return v->type == UR__A_STRING ? UR__MESSAGE_OK : UR__MESSAGE_FORMAT;
    }
    memcpy(at, &v->uint, sizeof v->uint);
    return v->type == UR__A_UINT && v->uint <= key->most ? UR__MESSAGE_OK : UR__MESSAGE_FORMAT;
}

static inline enum ur__message_kind ur__message_kind_of(ur_str name) {
    for (int kind = UR__HELLO; kind <= UR__BYE; kind++) {
        if (ur__equals(name, ur__message_names[kind])) {
            return (enum ur__message_kind)kind;
        }
    }
    return UR__NO_MESSAGE;
}

/* Decodes a packet. Strings of the message are valid until the packet changes. */
static inline enum ur__message_fault ur__decode(struct ur__message *m, const void *bytes, size_t length) {
    struct ur__packet p;
    ur_str names[UR__MAX_KEYS];
    struct ur__value values[UR__MAX_KEYS];
    memset(m, 0, sizeof *m);
    memset(&p, 0, sizeof p);
    p.bytes = (const uint8_t *)bytes;
    p.length = length;
    if (length > UR__MAX_MESSAGE) {
        return UR__MESSAGE_TOO_LONG;
    }
    size_t pairs = (size_t)ur__packet_map(&p), types = 0;
    struct ur__value type;
    memset(&type, 0, sizeof type);
    for (size_t i = 0; i < pairs && p.fault == UR__MESSAGE_OK; i++) {
        struct ur__value name = ur__packet_value(&p);
        if (name.type != UR__A_STRING) {
            ur__packet_fail(&p, UR__MESSAGE_FORMAT);
        }
        names[i] = name.string;
        values[i] = ur__packet_value(&p);
        if (p.fault == UR__MESSAGE_OK && ur__equals(names[i], "t")) {
            type = values[i];
            types++;
        }
    }
    if (p.fault == UR__MESSAGE_OK && p.at < p.length) {
        ur__packet_fail(&p, UR__MESSAGE_FORMAT);
    }
    if (p.fault != UR__MESSAGE_OK) {
        return p.fault;
    }
    if (types > 1 || (types == 1 && type.type != UR__A_STRING)) {
        return UR__MESSAGE_FORMAT;
    }
    m->kind = ur__message_kind_of(type.string);
    if (m->kind == UR__NO_MESSAGE) {
        return UR__MESSAGE_TYPE;
    }
    for (size_t k = 0; k < UR__KEYS; k++) {
        int stored = 0;
        for (size_t i = 0; ur__keys[k].kind == m->kind && i < pairs; i++) {
            if (!ur__equals(names[i], ur__keys[k].name)) {
                continue;
            }
            if (stored++ || ur__store_value(m, &ur__keys[k], &values[i]) != UR__MESSAGE_OK) {
                return UR__MESSAGE_FORMAT;
            }
        }
    }
    return UR__MESSAGE_OK;
}

/* The packet being written. Bytes beyond its end are dropped, but `at` still counts them. */
struct ur__out {
    uint8_t *bytes;
    size_t size, at;
};

static inline void ur__out_byte(struct ur__out *o, unsigned b) {
    if (o->at < o->size) {
        o->bytes[o->at] = (uint8_t)b;
    }
    o->at++;
}

/* A code and a big-endian number of 1 << power bytes. */
static inline void ur__out_number(struct ur__out *o, unsigned code, uint64_t n, unsigned power) {
    ur__out_byte(o, code);
    for (unsigned bits = 8u << power; bits > 0; bits -= 8) {
        ur__out_byte(o, (unsigned)(n >> (bits - 8)) & 0xff);
    }
}

static inline void ur__out_uint(struct ur__out *o, uint64_t n) {
    if (n < 0x80) {
        ur__out_byte(o, (unsigned)n);
    } else {
        unsigned power = n <= UINT8_MAX ? 0 : n <= UINT16_MAX ? 1 : n <= UINT32_MAX ? 2 : 3;
        ur__out_number(o, 0xcc + power, n, power);
    }
}

static inline void ur__out_string(struct ur__out *o, ur_str s) {
    if (s.length < 32) {
        ur__out_byte(o, 0xa0 | (unsigned)s.length);
    } else {
        unsigned power = s.length <= UINT8_MAX ? 0 : s.length <= UINT16_MAX ? 1 : 2;
        ur__out_number(o, 0xd9 + power, s.length, power);
    }
    for (size_t i = 0; i < s.length; i++) {
        ur__out_byte(o, (uint8_t)s.data[i]);
    }
}

static inline ur_str ur__text(const char *s) {
    ur_str t;
    t.data = s;
    t.length = strlen(s);
    return t;
}

/* Encodes a message and returns its length, or 0 if it exceeds a packet or has a string
 * that is not UTF-8. Preconditions: bytes has room for a packet; the message has at most
 * 15 keys, as every kind has. */
static inline size_t ur__encode(const struct ur__message *m, uint8_t *bytes) {
    struct ur__out o;
    unsigned keys = 1;
    o.bytes = bytes;
    o.size = UR__MAX_MESSAGE;
    o.at = 1;
    ur__out_string(&o, ur__text("t"));
    ur__out_string(&o, ur__text(ur__message_names[m->kind]));
    for (size_t k = 0; k < UR__KEYS; k++) {
        const char *at = (const char *)m + ur__keys[k].at;
        ur_str s;
        uint64_t n;
        if (ur__keys[k].kind != m->kind) {
            continue;
        }
        keys++;
        ur__out_string(&o, ur__text(ur__keys[k].name));
        if (ur__keys[k].most != 0) {
            memcpy(&n, at, sizeof n);
            ur__out_uint(&o, n);
            continue;
        }
        memcpy(&s, at, sizeof s);
        if (!ur__valid_utf8(s)) {
            return 0;
        }
        ur__out_string(&o, s);
    }
    bytes[0] = (uint8_t)(0x80 | keys);
    return o.at <= o.size ? o.at : 0;
}
