package shm

import (
	"math/big"
	"testing"
)

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
		f.Add(g.SlotSize, g.SlotLimit, g.Links, g.MailboxStride, g.InboxEntries, g.NoticeEntries, g.Rows, g.Ring,
			g.Buffers,
			g.MailboxesAt, g.RowsAt, g.DescriptorsAt, g.BuffersAt, g.Len, g.Len)
	}
	f.Fuzz(func(t *testing.T, slotSize, limit, links, stride, inbox, notices, rows, ring, buffers uint32, mailboxesAt,
		rowsAt, descriptorsAt, buffersAt, length, bytes uint64) {
		g := RequestGeometry{slotSize, limit, links, stride, inbox, notices, rows, ring, buffers, mailboxesAt, rowsAt,
			descriptorsAt, buffersAt, length}
		if g.Check(bytes) != nil {
			return
		}
		wantInside(t, bytes, bigArea(0, HeaderBytes), bigArea(mailboxesAt, uint64(links), uint64(stride)),
			bigArea(rowsAt, uint64(rows), RowBytes),
			bigArea(descriptorsAt, uint64(rows), uint64(ring), DescriptorBytes),
			bigArea(buffersAt, uint64(buffers), uint64(slotSize)))
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
	end := NewWorkerEnd(s, g.Links-1, 0, newResponseSegment(response, alignedHeap(response.Len)), nil)
	end.notices.ring.entry(uint64(g.NoticeEntries) - 1).Load()
	end.Inbox.ring.taken.Store(uint64(g.InboxEntries) - 1)
	end.Inbox.Take()
}

func FuzzResponseGeometryCheck(f *testing.F) {
	g := fewSlots.responseGeometry(f)
	f.Add(g.SlotSize, g.SlotLimit, g.Lanes, g.Ring, g.OutboxEntries, g.Buffers, g.LanesAt, g.DescriptorsAt, g.BuffersAt,
		g.Len, g.Len)
	f.Fuzz(func(t *testing.T, slotSize, limit, lanes, ring, outbox, buffers uint32, lanesAt, descriptorsAt, buffersAt,
		length, bytes uint64) {
		g := ResponseGeometry{slotSize, limit, lanes, ring, outbox, buffers, lanesAt, descriptorsAt, buffersAt, length}
		if g.Check(bytes) != nil {
			return
		}
		wantInside(t, bytes, bigArea(0, LinkBytes), bigArea(LinkBytes, uint64(outbox), NoticeBytes),
			bigArea(lanesAt, uint64(lanes), LaneBytes),
			bigArea(descriptorsAt, uint64(lanes), uint64(ring), DescriptorBytes),
			bigArea(buffersAt, uint64(buffers), uint64(slotSize)))
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
