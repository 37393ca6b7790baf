package handworker

import (
	"sync/atomic"
	"unsafe"
)

// Word32 returns a word of a mapping as an atomic. Preconditions: off is aligned, and the mapping
// outlives the use of the word.
func Word32(mem []byte, off uint64) *atomic.Uint32 {
	_ = mem[off : off+4]
	return (*atomic.Uint32)(unsafe.Pointer(&mem[off]))
}

// Word64 is Word32 for 64 bits.
func Word64(mem []byte, off uint64) *atomic.Uint64 {
	_ = mem[off : off+8]
	return (*atomic.Uint64)(unsafe.Pointer(&mem[off]))
}
