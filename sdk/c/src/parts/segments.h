/* ------------------------------------------------------------------ attach */

struct ur__area {
    uint64_t at, length;
};

/* Reports whether the areas follow one another, aligned, within a number of bytes. */
static inline int ur__areas_fit(uint64_t bytes, const struct ur__area *areas, size_t count) {
    uint64_t end = 0;
    for (size_t i = 0; i < count; i++) {
        struct ur__area a = areas[i];
        if (a.at < end || a.at % 64 != 0 || a.at > bytes || a.length > bytes - a.at) {
            return 0;
        }
        end = a.at + a.length;
    }
    return 1;
}

static inline int ur__pow2(uint64_t n, uint64_t most) { return n != 0 && (n & (n - 1)) == 0 && n <= most; }

/* Bytes from the start of a mailbox to its positions, behind its rings. */
static inline uint64_t ur__positions_at(const struct ur_shm_header *h) {
    return sizeof(struct ur_shm_mailbox) + (uint64_t)h->inbox_entries * sizeof(struct ur_shm_inbox_entry) +
           ((uint64_t)h->notice_entries * 4 + 63) / 64 * 64;
}

/* Reports whether a header fits a segment of a number of bytes. */
static inline int ur__header_fits(const struct ur_shm_header *h, uint64_t bytes) {
    if (h->slot_size < UR__MIN_SLOT || h->slot_size > UR__MAX_SLOT || h->slot_size % UR__ALIGN != 0 ||
        h->slot_limit == 0 || h->rows == 0 || h->rows > UR__MAX_ROWS || h->links == 0 || h->links > UR__MAX_LINKS ||
        h->buffers > UR__MAX_BUFFERS) {
        return 0;
    }
    if (!ur__pow2(h->ring, UR__MAX_RING) || !ur__pow2(h->inbox_entries, UINT64_C(2) * UR__MAX_LANES) ||
        !ur__pow2(h->notice_entries, UINT64_C(4) * UR__MAX_LANES)) {
        return 0;
    }
    if (h->mailbox_stride < ur__positions_at(h) + (uint64_t)h->inbox_entries * sizeof(struct ur_shm_position) ||
        h->mailbox_stride % 64 != 0) {
        return 0;
    }
    const struct ur__area areas[] = {
        {0, sizeof *h},
        {h->mailboxes_offset, (uint64_t)h->links * h->mailbox_stride},
        {h->rows_offset, (uint64_t)h->rows * sizeof(struct ur_shm_row)},
        {h->descriptors_offset, (uint64_t)h->rows * h->ring * sizeof(struct ur_shm_descriptor)},
        {h->buffers_offset, (uint64_t)h->buffers * h->slot_size},
    };
    return h->segment_bytes <= bytes && ur__areas_fit(h->segment_bytes, areas, 5);
}

/* Reports whether a mailbox fits a response segment of a number of bytes. */
static inline int ur__mailbox_fits(const struct ur_shm_header *h, const struct ur_shm_mailbox *b, uint64_t bytes) {
    if (b->lanes == 0 || b->lanes > UR__MAX_LANES || b->lanes > h->inbox_entries || b->buffers < b->lanes ||
        b->buffers > UR__MAX_BUFFERS) {
        return 0;
    }
    if (!ur__pow2(b->ring, UR__MAX_RING) || !ur__pow2(b->outbox_entries, UINT64_C(4) * UR__MAX_LANES)) {
        return 0;
    }
    const struct ur__area areas[] = {
        {sizeof(struct ur_shm_link), (uint64_t)b->outbox_entries * sizeof(struct ur_shm_notice)},
        {b->lanes_offset, (uint64_t)b->lanes * sizeof(struct ur_shm_lane)},
        {b->descriptors_offset, (uint64_t)b->lanes * b->ring * sizeof(struct ur_shm_descriptor)},
        {b->buffers_offset, (uint64_t)b->buffers * h->slot_size},
    };
    return b->response_bytes <= bytes && ur__areas_fit(b->response_bytes, areas, 4);
}

#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif

/* Maps a sealed memory file. The seals prevent a resize under us; forked children do not
 * inherit the mapping. */
static inline int ur__map(int fd, int protection, int seals, uint8_t **memory, size_t *bytes) {
    struct stat info;
    int got = fcntl(fd, F_GET_SEALS);
    if (got < 0 || (got & seals) != seals) {
        return -EPROTO;
    }
    if (fstat(fd, &info) != 0) { /* after the check of the seals: without them the size may change */
        return ur__errno();
    }
    if (info.st_size < 4096) {
        return -EPROTO;
    }
    void *at = mmap(NULL, (size_t)info.st_size, protection, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        return ur__errno();
    }
    (void)madvise(at, (size_t)info.st_size, 10 /* MADV_DONTFORK */);
    *memory = (uint8_t *)at;
    *bytes = (size_t)info.st_size;
    return 0;
}

/* A page that a forked child finds zeroed. */
static inline const uint32_t *ur__make_guard(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return NULL;
    }
    if (madvise(page, 4096, 18 /* MADV_WIPEONFORK */) != 0) {
        (void)munmap(page, 4096);
        return NULL;
    }
    *(uint32_t *)page = 1;
    return (const uint32_t *)page;
}

static inline void ur__close_fd(int fd) {
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* Frees a link and all it holds. In a forked child the mappings do not exist, and others
 * may be at their addresses. */
static inline void ur__free_link(ur_link *l) {
    int forked = ur__forked(l);
    ur__close_fd(l->poll);
    ur__close_fd(l->socket);
    ur__close_fd(l->server_bell);
    ur__close_fd(l->bell);
    if (l->requests != NULL && !forked) {
        (void)munmap((void *)(uintptr_t)l->requests, l->requests_bytes);
    }
    if (l->responses != NULL && !forked) {
        (void)munmap(l->responses, l->responses_bytes);
    }
    if (l->guard != NULL) {
        (void)munmap((void *)(uintptr_t)l->guard, 4096);
    }
    ur__pool_close(&l->pool);
    for (uint32_t i = 0; l->lanes != NULL && i < l->lane_count; i++) {
        free(l->lanes[i].copy);
    }
    free(l->lanes);
    free(l);
}
