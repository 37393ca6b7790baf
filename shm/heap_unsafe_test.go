package shm

import "unsafe"

// alignedHeap returns n zero bytes of ordinary heap memory that start on a
// cache line, so that code over lanes can be tested where the race detector
// sees it.
func alignedHeap(n uint64) []byte {
	words := make([]uint64, n/8+lineBytes/8)
	base := uintptr(unsafe.Pointer(&words[0]))
	skip := (lineBytes - base%lineBytes) % lineBytes
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*8)[skip : uint64(skip)+n : uint64(skip)+n]
}
