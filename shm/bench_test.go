package shm

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// sum reads every byte, as a reader of a slot would, eight at a time.
func sum(b []byte) (total uint64) {
	for ; len(b) >= 8; b = b[8:] {
		total += binary.LittleEndian.Uint64(b)
	}
	for _, x := range b {
		total += uint64(x)
	}
	return total
}

var sink uint64

// A slot goes once through the lane: reserved, filled, committed, published,
// tailed, read, released. "copy" moves the same bytes without a lane and is the
// limit of this machine in this run.
func BenchmarkSlot(b *testing.B) {
	for _, size := range []int{64, 4 << 10, 64 << 10} {
		body := pattern(1).at(0, size)
		b.Run(fmt.Sprintf("lane/%dB", size), func(b *testing.B) {
			s := sizes{slotSize: 64 << 10, limit: 64, rows: 1, lanes: 1, requestBuffers: 4, responseBuffers: 4}
			l := newHeapLink(b, s).openRequestLane(b, 1)
			l.putHeaders(b)
			next := uint64(1)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				space, err := l.writer.Reserve(size)
				if err != nil {
					b.Fatal(err)
				}
				l.writer.Commit(copy(space, body), KindBody)
				l.writer.Publish()
				next++
				slot, err := l.reader.Tail(next)
				if err != nil {
					b.Fatal(err)
				}
				sink += sum(slot.Bytes)
				l.reader.Release(next)
			}
		})
		b.Run(fmt.Sprintf("copy/%dB", size), func(b *testing.B) {
			space := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				copy(space, body)
				sink += sum(space)
			}
		})
	}
}

func BenchmarkPool(b *testing.B) {
	a := mustOpen(b, NewPool(64), 1)
	b.ReportAllocs()
	for b.Loop() {
		buffer, _ := a.Take()
		a.Give(buffer)
	}
}

// Two holders use the pool at once.
func BenchmarkPoolShared(b *testing.B) {
	p := NewPool(64)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var a Account
		p.Open(&a, 1)
		for pb.Next() {
			buffer, _ := a.Take()
			a.Give(buffer)
		}
	})
}

func BenchmarkNotice(b *testing.B) {
	l := newHeapLink(b, fewSlots)
	news := func(lane uint32) { sink += uint64(lane) }
	b.ReportAllocs()
	for b.Loop() {
		l.server.Notify(1)
		if _, err := l.worker.News(news); err != nil {
			b.Fatal(err)
		}
	}
}

// An assignment is appended, taken, accepted and released.
func BenchmarkAssignment(b *testing.B) {
	l := newHeapLink(b, fewSlots)
	id := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		id++
		l.server.Inbox.Append(Assignment{StreamID: id})
		l.server.Offered()
		a, _, _ := l.worker.Inbox.Take()
		l.worker.Lane(a.Lane).Accept(a.StreamID)
		l.worker.Lane(a.Lane).LetGo(a.StreamID)
		if !l.server.Lane(0).HasLetGo(id) {
			b.Fatal("not let go of")
		}
	}
}

func BenchmarkNow(b *testing.B) {
	for b.Loop() {
		sink += uint64(Now())
	}
}
