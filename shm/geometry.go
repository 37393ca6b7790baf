package shm

import (
	"errors"
	"fmt"
	"math/bits"
)

// ErrGeometry is returned when sizes do not fit together: a configuration that
// cannot work, or a segment header that makes no sense.
var ErrGeometry = errors.New("shm: bad geometry")

func geometryError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrGeometry, fmt.Sprintf(format, args...))
}

// minRing is the fewest descriptors that a lane has, whatever the budget.
const minRing = 16

// RequestConfig says what a request segment has to hold.
type RequestConfig struct {
	SlotSize  int    // bytes in a slot at most; a multiple of 4096
	SlotLimit int    // most outstanding slots of one lane
	Rows      int    // concurrent streams
	Links     int    // links attached at once
	LinkLanes int    // most lanes of one link
	Bytes     uint64 // budget for the whole segment
}

// RequestGeometry is where everything is in a request segment. The server
// computes it, writes it into the header, and workers read it from there.
type RequestGeometry struct {
	SlotSize, SlotLimit           uint32
	Links, MailboxStride          uint32
	InboxEntries, NoticeEntries   uint32
	Rows, Ring, Buffers           uint32
	MailboxesAt, RowsAt           uint64
	DescriptorsAt, BuffersAt, Len uint64
}

// PlanRequest fits a request segment into its budget: fixed tables first, then
// descriptors (at most an eighth of the budget, so a slot limit that is larger
// than memory can ever hold costs nothing), and buffers with all the rest.
func PlanRequest(c RequestConfig) (RequestGeometry, error) {
	if err := c.check(); err != nil {
		return RequestGeometry{}, err
	}
	entries := nextPow2(uint64(c.LinkLanes) + 1) // see InboxWriter.Room
	g := RequestGeometry{
		SlotSize: uint32(c.SlotSize), SlotLimit: uint32(c.SlotLimit), Links: uint32(c.Links), Rows: uint32(c.Rows),
		InboxEntries: uint32(entries), NoticeEntries: uint32(2 * entries), MailboxesAt: HeaderBytes,
	}
	g.MailboxStride = uint32(g.positionsAt() + entries*PositionBytes)
	g.RowsAt = g.MailboxesAt + uint64(g.Links)*uint64(g.MailboxStride)
	g.DescriptorsAt = g.RowsAt + uint64(g.Rows)*RowBytes
	g.Ring, g.BuffersAt = planDescriptors(g.DescriptorsAt, c.Bytes, 2*uint64(g.SlotSize), g.Rows, g.SlotLimit)
	if g.BuffersAt+2*uint64(g.SlotSize) > c.Bytes {
		return RequestGeometry{},
			geometryError("%d bytes are too few for %d streams with slots of %d bytes: at least %d are needed",
				c.Bytes, c.Rows, c.SlotSize, g.BuffersAt+2*uint64(g.SlotSize))
	}
	g.Buffers = uint32(min((c.Bytes-g.BuffersAt)/uint64(g.SlotSize), MaxBuffers))
	g.Len = g.BuffersAt + uint64(g.Buffers)*uint64(g.SlotSize)
	return g, nil
}

func (c RequestConfig) check() error {
	switch {
	case c.SlotSize < MinSlotSize || c.SlotSize > MaxSlotSize || c.SlotSize%pageBytes != 0:
		return geometryError("slot size %d: want a multiple of %d from %d to %d bytes", c.SlotSize, pageBytes,
			MinSlotSize, MaxSlotSize)
	case c.SlotLimit < 1 || c.SlotLimit > MaxRing:
		return geometryError("%d slots per stream: want 1 to %d", c.SlotLimit, MaxRing)
	case c.Rows < 1 || c.Rows > MaxRows:
		return geometryError("%d streams: want 1 to %d", c.Rows, MaxRows)
	case c.Links < 1 || c.Links > MaxLinks:
		return geometryError("%d links: want 1 to %d", c.Links, MaxLinks)
	case c.LinkLanes < 1 || c.LinkLanes > MaxLanes:
		return geometryError("%d lanes a link: want 1 to %d", c.LinkLanes, MaxLanes)
	}
	return nil
}

// positionsAt returns where the positions stand in a mailbox: after its rings.
func (g *RequestGeometry) positionsAt() uint64 {
	return MailboxBytes + uint64(g.InboxEntries)*InboxEntryBytes +
		roundUp(uint64(g.NoticeEntries)*NoticeBytes, lineBytes)
}

// planRing returns how many descriptors each of n lanes gets: enough for the
// limit, but no more than the budget (bytes) divided evenly, and never fewer
// than minRing.
func planRing(budget uint64, n, limit uint32) uint32 {
	fit := budget / (uint64(n) * DescriptorBytes)
	ring := nextPow2(uint64(limit))
	for ring > fit && ring > minRing {
		ring /= 2
	}
	return uint32(max(ring, 2))
}

// planDescriptors returns the descriptors of each of n lanes and where the
// buffers start behind all of them. A budget too small for both makes do with
// fewer descriptors before it has too few buffers: least bytes of them.
func planDescriptors(at, budget, least uint64, n, limit uint32) (ring uint32, buffersAt uint64) {
	ring = planRing(budget/8, n, limit)
	for {
		buffersAt = roundUp(at+uint64(n)*uint64(ring)*DescriptorBytes, pageBytes)
		if ring <= minRing || buffersAt+least <= budget {
			return ring, buffersAt
		}
		ring /= 2
	}
}

// Check reports whether g can be the geometry of a segment of segmentBytes
// bytes. Workers call it on the header that they read.
func (g *RequestGeometry) Check(segmentBytes uint64) error {
	switch {
	case g.SlotSize < MinSlotSize || g.SlotSize > MaxSlotSize || g.SlotSize%SlotAlign != 0:
		return geometryError("slot size %d", g.SlotSize)
	case g.SlotLimit == 0 || g.Rows == 0 || g.Rows > MaxRows || g.Links == 0 || g.Links > MaxLinks ||
		g.Buffers > MaxBuffers:
		return geometryError("slot limit %d, rows %d, links %d, buffers %d", g.SlotLimit, g.Rows, g.Links, g.Buffers)
	case !isPow2(g.Ring) || g.Ring > MaxRing || !isPow2(g.InboxEntries) || g.InboxEntries > 2*MaxLanes ||
		!isPow2(g.NoticeEntries) || g.NoticeEntries > 4*MaxLanes:
		return geometryError("rings %d, %d, %d", g.Ring, g.InboxEntries, g.NoticeEntries)
	case uint64(g.MailboxStride) < g.positionsAt()+uint64(g.InboxEntries)*PositionBytes ||
		g.MailboxStride%lineBytes != 0:
		return geometryError("mailbox stride %d", g.MailboxStride)
	}
	return checkAreas(segmentBytes, g.Len,
		area{0, HeaderBytes},
		area{g.MailboxesAt, uint64(g.Links) * uint64(g.MailboxStride)},
		area{g.RowsAt, uint64(g.Rows) * RowBytes},
		area{g.DescriptorsAt, uint64(g.Rows) * uint64(g.Ring) * DescriptorBytes},
		area{g.BuffersAt, uint64(g.Buffers) * uint64(g.SlotSize)})
}

// ResponseGeometry is where everything is in a response segment. The server
// computes it at attach and writes it into the link's mailbox.
type ResponseGeometry struct {
	SlotSize, SlotLimit    uint32 // as in the request segment
	Lanes, Ring            uint32
	OutboxEntries, Buffers uint32
	LanesAt, DescriptorsAt uint64
	BuffersAt, Len         uint64
}

// PlanResponse fits a response segment with the given number of lanes into its
// budget (bytes). Each lane is guaranteed one buffer, so the budget has to hold
// as many buffers as lanes.
func PlanResponse(slotSize, slotLimit, lanes int, budget uint64) (ResponseGeometry, error) {
	if lanes < 1 || lanes > MaxLanes {
		return ResponseGeometry{}, geometryError("%d lanes: want 1 to %d", lanes, MaxLanes)
	}
	g := ResponseGeometry{SlotSize: uint32(slotSize), SlotLimit: uint32(slotLimit), Lanes: uint32(lanes)}
	g.OutboxEntries = uint32(2 * nextPow2(uint64(lanes)))
	g.LanesAt = LinkBytes + roundUp(uint64(g.OutboxEntries)*NoticeBytes, lineBytes)
	g.DescriptorsAt = g.LanesAt + uint64(lanes)*LaneBytes
	g.Ring, g.BuffersAt = planDescriptors(g.DescriptorsAt, budget, uint64(lanes)*uint64(slotSize), g.Lanes, g.SlotLimit)
	need := g.BuffersAt + uint64(lanes)*uint64(slotSize)
	if need > budget {
		return ResponseGeometry{},
			geometryError("%d bytes are too few for a link of %d lanes with slots of %d bytes: %d are needed", budget,
				lanes, slotSize, need)
	}
	g.Buffers = uint32(min((budget-g.BuffersAt)/uint64(slotSize), MaxBuffers))
	g.Len = g.BuffersAt + uint64(g.Buffers)*uint64(slotSize)
	return g, nil
}

// Check reports whether g can be the geometry of a segment of segmentBytes
// bytes. Workers call it on the mailbox that they read.
func (g *ResponseGeometry) Check(segmentBytes uint64) error {
	switch {
	case g.SlotSize < MinSlotSize || g.SlotSize > MaxSlotSize || g.SlotSize%SlotAlign != 0 || g.SlotLimit == 0:
		return geometryError("slot size %d, slot limit %d", g.SlotSize, g.SlotLimit)
	case g.Lanes == 0 || g.Lanes > MaxLanes || g.Buffers < g.Lanes || g.Buffers > MaxBuffers:
		return geometryError("lanes %d, buffers %d", g.Lanes, g.Buffers)
	case !isPow2(g.Ring) || g.Ring > MaxRing || !isPow2(g.OutboxEntries) || g.OutboxEntries > 4*MaxLanes:
		return geometryError("rings %d, %d", g.Ring, g.OutboxEntries)
	}
	return checkAreas(segmentBytes, g.Len,
		area{LinkBytes, uint64(g.OutboxEntries) * NoticeBytes},
		area{g.LanesAt, uint64(g.Lanes) * LaneBytes},
		area{g.DescriptorsAt, uint64(g.Lanes) * uint64(g.Ring) * DescriptorBytes},
		area{g.BuffersAt, uint64(g.Buffers) * uint64(g.SlotSize)})
}

// area is a part of a segment: offset and length in bytes.
type area struct{ at, length uint64 }

// checkAreas reports whether the areas follow one another, aligned to cache
// lines, within announced bytes, and announced is no more than the segment has.
func checkAreas(segmentBytes, announced uint64, areas ...area) error {
	if announced > segmentBytes {
		return geometryError("segment has %d bytes, its header says %d", segmentBytes, announced)
	}
	var end uint64
	for _, a := range areas {
		if a.at < end || a.at%lineBytes != 0 || a.at > announced || a.length > announced-a.at {
			return geometryError("area of %d bytes at %d, previous ends at %d, segment at %d", a.length, a.at, end,
				announced)
		}
		end = a.at + a.length
	}
	return nil
}

func isPow2(n uint32) bool { return n != 0 && n&(n-1) == 0 }

// nextPow2 returns the smallest power of two that is at least n.
func nextPow2(n uint64) uint64 {
	if n < 2 {
		return 1
	}
	return 1 << bits.Len64(n-1)
}

func roundUp(n, to uint64) uint64 { return (n + to - 1) / to * to }
