package shm

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"testing"
)

var example = RequestConfig{SlotSize: 64 << 10, SlotLimit: 16384, Rows: 100, Links: 64, LinkLanes: 128, Bytes: 256 << 20}

func TestTheExampleConfigurationFitsItsBudget(t *testing.T) {
	g, err := PlanRequest(example)
	if err != nil {
		t.Fatal(err)
	}
	if g.Len > example.Bytes || g.Len < example.Bytes*9/10 {
		t.Errorf("%d bytes of a budget of %d are used", g.Len, example.Bytes)
	}
	if share := g.Buffers / g.Rows; share < 30 {
		t.Errorf("%d buffers for each stream", share)
	}
	if tables := g.BuffersAt; tables > example.Bytes/6 {
		t.Errorf("%d bytes are not buffers", tables)
	}
}

// configs are the corners of what may be configured, and some of the middle.
func configs() []RequestConfig {
	var all []RequestConfig
	for _, slotSize := range []int{MinSlotSize, 64 << 10, MaxSlotSize} {
		for _, limit := range []int{1, 2, 5, 16384, MaxRing} {
			for _, rows := range []int{1, 100, 65536} {
				for _, links := range []int{1, 7, MaxLinks} {
					for _, lanes := range []int{1, 2, 3, 255, MaxLanes - 1, MaxLanes} {
						for _, bytes := range []uint64{64 << 20, 256 << 20, 16 << 30} {
							all = append(all, RequestConfig{slotSize, limit, rows, links, lanes, bytes})
						}
					}
				}
			}
		}
	}
	return all
}

func TestEveryPlanForRequestsPassesTheWorkersCheck(t *testing.T) {
	plans := 0
	for _, c := range configs() {
		g, err := PlanRequest(c)
		if errors.Is(err, ErrGeometry) {
			continue // too small a budget
		}
		if err != nil {
			t.Fatal(err)
		}
		plans++
		if err := g.Check(g.Len); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if g.Len > c.Bytes {
			t.Errorf("%+v: %d bytes are more than the budget", c, g.Len)
		}
		if left := c.Bytes - g.Len; left >= uint64(c.SlotSize) && g.Buffers < MaxBuffers {
			t.Errorf("%+v: %d bytes are left", c, left)
		}
		if uint64(g.InboxEntries) <= uint64(c.LinkLanes) {
			t.Errorf("%+v: an inbox of %d entries has no spare one", c, g.InboxEntries)
		}
		if g.Ring < minRing && int(g.Ring) < c.SlotLimit {
			t.Errorf("%+v: %d descriptors for each lane", c, g.Ring)
		}
	}
	if plans < 100 {
		t.Errorf("only %d configurations could be planned", plans)
	}
}

func TestEveryPlanForResponsesPassesTheWorkersCheck(t *testing.T) {
	for _, c := range configs() {
		g, err := PlanResponse(c.SlotSize, c.SlotLimit, c.LinkLanes, c.Bytes)
		if errors.Is(err, ErrGeometry) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Check(g.Len); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		if g.Len > c.Bytes || g.Buffers < g.Lanes {
			t.Errorf("%+v: %d bytes, %d buffers", c, g.Len, g.Buffers)
		}
	}
}

func TestAConfigurationOutOfItsBoundsIsRefused(t *testing.T) {
	for name, change := range map[string]func(*RequestConfig){
		"no slot size":             func(c *RequestConfig) { c.SlotSize = 0 },
		"slot size of odd bytes":   func(c *RequestConfig) { c.SlotSize = 5000 },
		"slot size too large":      func(c *RequestConfig) { c.SlotSize = MaxSlotSize + 4096 },
		"slot size negative":       func(c *RequestConfig) { c.SlotSize = -4096 },
		"no slots":                 func(c *RequestConfig) { c.SlotLimit = 0 },
		"too many slots":           func(c *RequestConfig) { c.SlotLimit = MaxRing + 1 },
		"no streams":               func(c *RequestConfig) { c.Rows = 0 },
		"too many streams":         func(c *RequestConfig) { c.Rows = MaxRows + 1 },
		"no links":                 func(c *RequestConfig) { c.Links = 0 },
		"too many links":           func(c *RequestConfig) { c.Links = MaxLinks + 1 },
		"no lanes":                 func(c *RequestConfig) { c.LinkLanes = 0 },
		"too many lanes":           func(c *RequestConfig) { c.LinkLanes = MaxLanes + 1 },
		"no budget":                func(c *RequestConfig) { c.Bytes = 0 },
		"a budget for tables only": func(c *RequestConfig) { c.Bytes = 64 << 10 },
	} {
		t.Run(name, func(t *testing.T) {
			c := example
			change(&c)
			if _, err := PlanRequest(c); !errors.Is(err, ErrGeometry) {
				t.Errorf("%+v: %v", c, err)
			}
		})
	}
	for _, lanes := range []int{0, -1, MaxLanes + 1} {
		if _, err := PlanResponse(64<<10, 16, lanes, 1<<30); !errors.Is(err, ErrGeometry) {
			t.Errorf("%d lanes: %v", lanes, err)
		}
	}
}

// Whoever raises the budget to the number in the refusal is not refused again.
func TestTheRefusalOfABudgetNamesOneThatIsEnough(t *testing.T) {
	for _, c := range configs() {
		c.Bytes = 8192
		var need uint64
		_, err := PlanRequest(c)
		if _, scan := fmt.Sscanf(lastWords(err, 4), "least %d are needed", &need); scan != nil {
			t.Fatalf("%+v: no number in %v", c, err)
		}
		c.Bytes = need
		if _, err := PlanRequest(c); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		_, err = PlanResponse(c.SlotSize, c.SlotLimit, c.LinkLanes, 1024)
		if _, scan := fmt.Sscanf(lastWords(err, 3), "%d are needed", &need); scan != nil {
			t.Fatalf("%+v: no number in %v", c, err)
		}
		if _, err := PlanResponse(c.SlotSize, c.SlotLimit, c.LinkLanes, need); err != nil {
			t.Fatalf("%d lanes: %v", c.LinkLanes, err)
		}
	}
}

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

func TestPowersOfTwoAreRoundedUpTo(t *testing.T) {
	for n, want := range map[uint64]uint64{0: 1, 1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 1 << 20: 1 << 20, 1<<20 + 1: 1 << 21} {
		if got := nextPow2(n); got != want {
			t.Errorf("nextPow2(%d) is %d, want %d", n, got, want)
		}
	}
}

// bigArea is an area in numbers that cannot overflow.
func bigArea(at uint64, factors ...uint64) [2]*big.Int {
	length := big.NewInt(1)
	for _, f := range factors {
		length.Mul(length, new(big.Int).SetUint64(f))
	}
	start := new(big.Int).SetUint64(at)
	return [2]*big.Int{start, length.Add(length, start)}
}

// wantInside fails unless the areas follow one another within bytes.
func wantInside(tb testing.TB, bytes uint64, areas ...[2]*big.Int) {
	tb.Helper()
	end := new(big.Int)
	for i, a := range areas {
		if a[0].Cmp(end) < 0 {
			tb.Errorf("area %d starts at %v, in the area before", i, a[0])
		}
		end = a[1]
	}
	if end.Cmp(new(big.Int).SetUint64(bytes)) > 0 {
		tb.Errorf("the last area ends at %v, the segment at %d", end, bytes)
	}
}

func FuzzGeometryCheck(f *testing.F) {
	for _, g := range []RequestGeometry{goodRequest(f), {SlotSize: 4096}} {
		f.Add(g.SlotSize, g.SlotLimit, g.Links, g.MailboxStride, g.InboxEntries, g.NoticeEntries, g.Rows, g.Ring, g.Buffers,
			g.MailboxesAt, g.RowsAt, g.DescriptorsAt, g.BuffersAt, g.Len, g.Len)
	}
	f.Fuzz(func(t *testing.T, slotSize, limit, links, stride, inbox, notices, rows, ring, buffers uint32, mailboxesAt, rowsAt, descriptorsAt, buffersAt, length, bytes uint64) {
		g := RequestGeometry{slotSize, limit, links, stride, inbox, notices, rows, ring, buffers, mailboxesAt, rowsAt, descriptorsAt, buffersAt, length}
		if g.Check(bytes) != nil {
			return
		}
		wantInside(t, bytes, bigArea(0, HeaderBytes), bigArea(mailboxesAt, uint64(links), uint64(stride)), bigArea(rowsAt, uint64(rows), RowBytes),
			bigArea(descriptorsAt, uint64(rows), uint64(ring), DescriptorBytes), bigArea(buffersAt, uint64(buffers), uint64(slotSize)))
		if bytes > 1<<20 {
			return
		}
		touchRequestSegment(newRequestSegment(g, alignedHeap(bytes)))
	})
}

// touchRequestSegment reaches for the last of everything, as a worker may: it
// panics if that is not in the segment.
func touchRequestSegment(s *RequestSegment) {
	g := s.geometry
	s.Row(g.Rows - 1).Cancelled(1)
	ring, buffers := s.ring(g.Rows-1), s.buffers()
	ring.load(uint64(g.Ring))
	if g.Buffers > 0 {
		buffers.at(g.Buffers-1, 0, g.SlotSize)
	}
	response, err := PlanResponse(MinSlotSize, 2, 1, 1<<20)
	if err != nil {
		panic(err)
	}
	end := NewWorkerEnd(s, g.Links-1, newResponseSegment(response, alignedHeap(response.Len)), nil)
	end.notices.ring.entry(uint64(g.NoticeEntries) - 1).Load()
	end.Inbox.ring.taken.Store(uint64(g.InboxEntries) - 1)
	end.Inbox.Take()
}

func FuzzResponseGeometryCheck(f *testing.F) {
	g := fewSlots.responseGeometry(f)
	f.Add(g.SlotSize, g.SlotLimit, g.Lanes, g.Ring, g.OutboxEntries, g.Buffers, g.LanesAt, g.DescriptorsAt, g.BuffersAt, g.Len, g.Len)
	f.Fuzz(func(t *testing.T, slotSize, limit, lanes, ring, outbox, buffers uint32, lanesAt, descriptorsAt, buffersAt, length, bytes uint64) {
		g := ResponseGeometry{slotSize, limit, lanes, ring, outbox, buffers, lanesAt, descriptorsAt, buffersAt, length}
		if g.Check(bytes) != nil {
			return
		}
		wantInside(t, bytes, bigArea(0, LinkBytes), bigArea(LinkBytes, uint64(outbox), NoticeBytes), bigArea(lanesAt, uint64(lanes), LaneBytes),
			bigArea(descriptorsAt, uint64(lanes), uint64(ring), DescriptorBytes), bigArea(buffersAt, uint64(buffers), uint64(slotSize)))
		if bytes > 1<<20 {
			return
		}
		s := newResponseSegment(g, alignedHeap(bytes))
		s.Lane(lanes - 1).Accepted(1)
		descriptors, area := s.ring(lanes-1), s.buffers()
		descriptors.load(uint64(ring))
		area.at(buffers-1, 0, slotSize)
	})
}
