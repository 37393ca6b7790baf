package shm

import (
	"errors"
	"math"
	"testing"
)

func goodRequest(tb testing.TB) RequestGeometry {
	tb.Helper()
	return fewSlots.requestGeometry(tb)
}

func TestAHeaderThatMakesNoSenseIsRefused(t *testing.T) {
	for name, change := range map[string]func(*RequestGeometry){
		"slot size too small":         func(g *RequestGeometry) { g.SlotSize = 64 },
		"slot size too large":         func(g *RequestGeometry) { g.SlotSize = MaxSlotSize + 64 },
		"slot size not aligned":       func(g *RequestGeometry) { g.SlotSize += 8 },
		"no slots":                    func(g *RequestGeometry) { g.SlotLimit = 0 },
		"no rows":                     func(g *RequestGeometry) { g.Rows = 0 },
		"too many rows":               func(g *RequestGeometry) { g.Rows = MaxRows + 1 },
		"no links":                    func(g *RequestGeometry) { g.Links = 0 },
		"too many links":              func(g *RequestGeometry) { g.Links = MaxLinks + 1 },
		"too many buffers":            func(g *RequestGeometry) { g.Buffers = MaxBuffers + 1 },
		"one buffer more than fits":   func(g *RequestGeometry) { g.Buffers++ },
		"ring of no entries":          func(g *RequestGeometry) { g.Ring = 0 },
		"ring not a power of two":     func(g *RequestGeometry) { g.Ring = 3 },
		"ring too large":              func(g *RequestGeometry) { g.Ring = MaxRing * 2 },
		"inbox not a power of two":    func(g *RequestGeometry) { g.InboxEntries = 3 },
		"inbox too large":             func(g *RequestGeometry) { g.InboxEntries = 1 << 20 },
		"notices not a power of two":  func(g *RequestGeometry) { g.NoticeEntries = 3 },
		"notices too large":           func(g *RequestGeometry) { g.NoticeEntries = 1 << 20 },
		"mailboxes that overlap":      func(g *RequestGeometry) { g.MailboxStride = MailboxBytes },
		"mailboxes that are not even": func(g *RequestGeometry) { g.MailboxStride += 8 },
		"mailboxes in the header":     func(g *RequestGeometry) { g.MailboxesAt = 0 },
		"rows in the mailboxes":       func(g *RequestGeometry) { g.RowsAt = g.MailboxesAt },
		"rows not aligned":            func(g *RequestGeometry) { g.RowsAt += 8 },
		"descriptors in the rows":     func(g *RequestGeometry) { g.DescriptorsAt = g.RowsAt },
		"buffers in the descriptors":  func(g *RequestGeometry) { g.BuffersAt = g.DescriptorsAt },
		"buffers beyond the end":      func(g *RequestGeometry) { g.BuffersAt = g.Len + 64 },
		"an offset that overflows":    func(g *RequestGeometry) { g.BuffersAt = math.MaxUint64 - 63 },
		"longer than the segment":     func(g *RequestGeometry) { g.Len++ },
		"shorter than its parts":      func(g *RequestGeometry) { g.Len = 4096 },
	} {
		t.Run(name, func(t *testing.T) {
			g := goodRequest(t)
			bytes := g.Len
			if err := g.Check(bytes); err != nil {
				t.Fatal(err)
			}
			change(&g)
			if err := g.Check(bytes); !errors.Is(err, ErrGeometry) {
				t.Errorf("%+v in %d bytes: %v", g, bytes, err)
			}
		})
	}
}

func TestAMailboxThatMakesNoSenseIsRefused(t *testing.T) {
	for name, change := range map[string]func(*ResponseGeometry){
		"slot size too small":        func(g *ResponseGeometry) { g.SlotSize = 64 },
		"slot size not aligned":      func(g *ResponseGeometry) { g.SlotSize += 8 },
		"no slots":                   func(g *ResponseGeometry) { g.SlotLimit = 0 },
		"no lanes":                   func(g *ResponseGeometry) { g.Lanes = 0 },
		"too many lanes":             func(g *ResponseGeometry) { g.Lanes = MaxLanes + 1 },
		"fewer buffers than lanes":   func(g *ResponseGeometry) { g.Buffers = g.Lanes - 1 },
		"too many buffers":           func(g *ResponseGeometry) { g.Buffers = MaxBuffers + 1 },
		"one buffer more than fits":  func(g *ResponseGeometry) { g.Buffers++ },
		"ring not a power of two":    func(g *ResponseGeometry) { g.Ring = 3 },
		"ring too large":             func(g *ResponseGeometry) { g.Ring = MaxRing * 2 },
		"outbox not a power of two":  func(g *ResponseGeometry) { g.OutboxEntries = 3 },
		"outbox too large":           func(g *ResponseGeometry) { g.OutboxEntries = 1 << 20 },
		"lanes in the link's words":  func(g *ResponseGeometry) { g.LanesAt = 0 },
		"lanes in the outbox":        func(g *ResponseGeometry) { g.LanesAt = LinkBytes },
		"lanes not aligned":          func(g *ResponseGeometry) { g.LanesAt += 8 },
		"descriptors in the lanes":   func(g *ResponseGeometry) { g.DescriptorsAt = g.LanesAt },
		"buffers in the descriptors": func(g *ResponseGeometry) { g.BuffersAt = g.DescriptorsAt },
		"an offset that overflows":   func(g *ResponseGeometry) { g.BuffersAt = math.MaxUint64 - 63 },
		"longer than the segment":    func(g *ResponseGeometry) { g.Len++ },
	} {
		t.Run(name, func(t *testing.T) {
			g := fewSlots.responseGeometry(t)
			bytes := g.Len
			if err := g.Check(bytes); err != nil {
				t.Fatal(err)
			}
			change(&g)
			if err := g.Check(bytes); !errors.Is(err, ErrGeometry) {
				t.Errorf("%+v in %d bytes: %v", g, bytes, err)
			}
		})
	}
}

func TestAnAreaWhoseEndOverflowsIsRefused(t *testing.T) {
	const last = math.MaxUint64 - 63
	if err := checkAreas(math.MaxUint64, math.MaxUint64, area{last, 128}); !errors.Is(err, ErrGeometry) {
		t.Errorf("128 bytes, 64 bytes before the largest number: %v", err)
	}
	if err := checkAreas(math.MaxUint64, math.MaxUint64, area{last, 63}); err != nil {
		t.Errorf("63 bytes there: %v", err)
	}
}

func TestALinkWithMoreLanesThanPositionsIsRefused(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	for lanes, good := range map[uint32]bool{2: true, 4: true, 5: false} { // an inbox of four entries
		u32at(l.request.mailbox(0), mbxLanes).Store(lanes)
		if _, err := l.request.OpenResponseGeometry(0, 1); errors.Is(err, ErrGeometry) == good {
			t.Errorf("%d lanes: %v", lanes, err)
		}
	}
}
