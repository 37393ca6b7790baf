package shm

import "sync/atomic"

// Slot is one published slot as its reader sees it.
//
// Bytes is a view of shared memory: it is valid until the slot is released, and
// the lane's writer, who may be broken or hostile, can change it at any time
// until then. Copy before you validate.
type Slot struct {
	Number uint64
	Kind   Kind
	Final  bool  // it ends a message
	Time   int64 // CLOCK_MONOTONIC of its commit, nanoseconds
	Bytes  []byte
}

// descriptor is a private copy of a slot's descriptor.
type descriptor struct {
	number                       uint64
	buffer, offset, length, kind uint32
	time                         int64
}

// descriptorRing is the ring of descriptors of one lane.
type descriptorRing struct {
	mem  []byte // len = entries * DescriptorBytes
	mask uint64
}

func newDescriptorRing(mem []byte, entries uint32) descriptorRing {
	return descriptorRing{mem: mem[:uint64(entries)*DescriptorBytes], mask: uint64(entries) - 1}
}

// words returns the four words of the descriptor of slot number n.
func (r *descriptorRing) words(n uint64) [4]*atomic.Uint64 {
	at := ((n - 1) & r.mask) * DescriptorBytes
	return [4]*atomic.Uint64{u64at(r.mem, at+dscNumber), u64at(r.mem, at+dscBuffer), u64at(r.mem, at+dscLength),
		u64at(r.mem, at+dscTime)}
}

// store writes d. It becomes visible to the reader with the next publication
// (A1 or C1); until then the reader has no reason to look.
func (r *descriptorRing) store(d descriptor) {
	w := r.words(d.number)
	w[0].Store(d.number)
	w[1].Store(uint64(d.buffer) | uint64(d.offset)<<32)
	w[2].Store(uint64(d.length) | uint64(d.kind)<<32)
	w[3].Store(uint64(d.time))
}

// load reads each word of the descriptor of slot n once.
func (r *descriptorRing) load(n uint64) descriptor {
	w := r.words(n)
	place, size := w[1].Load(), w[2].Load()
	return descriptor{number: w[0].Load(), buffer: uint32(place), offset: uint32(place >> 32),
		length: uint32(size), kind: uint32(size >> 32), time: int64(w[3].Load())}
}

// bufferArea is the buffers of a segment.
type bufferArea struct {
	mem      []byte
	slotSize uint32
	count    uint32
}

func newBufferArea(mem []byte, slotSize, count uint32) bufferArea {
	return bufferArea{mem: mem[:uint64(slotSize)*uint64(count)], slotSize: slotSize, count: count}
}

// at returns length bytes from offset within a buffer. Preconditions: they are
// within the buffer.
func (a *bufferArea) at(buffer, offset, length uint32) []byte {
	start := uint64(buffer)*uint64(a.slotSize) + uint64(offset)
	return a.mem[start : start+uint64(length) : start+uint64(length)]
}
