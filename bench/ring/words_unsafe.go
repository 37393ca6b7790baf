package ring

import (
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sharedWords is a page of memory that two processes share.
type sharedWords []byte

func mapWords(file *os.File) (sharedWords, error) {
	return unix.Mmap(int(file.Fd()), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// pair returns two words on separate cache lines.
func (w sharedWords) pair() (there, back sharedWord) {
	const apart = 128
	return sharedWord{(*atomic.Uint32)(unsafe.Pointer(&w[0]))}, sharedWord{(*atomic.Uint32)(unsafe.Pointer(&w[apart]))}
}

// sharedWord is a word that one process writes and another awaits.
type sharedWord struct{ word *atomic.Uint32 }

func (w sharedWord) load() uint32 { return w.word.Load() }

// The futex operations, between processes (futex(2)).
const (
	futexWait = 0
	futexWake = 1
)

// put writes the word, and wakes the process that waits for it.
func (w sharedWord) put(n uint32, spin bool) {
	w.word.Store(n)
	if !spin {
		_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w.word)), futexWake, 1, 0, 0, 0)
	}
}

// await waits until the word is n.
func (w sharedWord) await(n uint32, spin bool) {
	for {
		now := w.word.Load()
		if now == n {
			return
		}
		if !spin {
			_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w.word)), futexWait, uintptr(now), 0, 0, 0)
		}
	}
}
