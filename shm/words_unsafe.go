package shm

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// u32at returns the 32-bit word at off as an atomic.
//
// Preconditions: off is a multiple of 4, off+4 <= len(mem), and mem starts at
// an address that is a multiple of 64 (a mapping does). The word
// lives as long as the memory does: nobody may use it after the unmap.
func u32at(mem []byte, off uint64) *atomic.Uint32 {
	_ = mem[off : off+4]
	return (*atomic.Uint32)(unsafe.Pointer(&mem[off]))
}

// u64at returns the 64-bit word at off as an atomic. Preconditions: as u32at,
// with multiples of 8.
func u64at(mem []byte, off uint64) *atomic.Uint64 {
	_ = mem[off : off+8]
	return (*atomic.Uint64)(unsafe.Pointer(&mem[off]))
}

// futexWake wakes every process that waits on w. It does not go through the
// scheduler, for it never blocks.
func futexWake(w *atomic.Uint32) {
	const everyone = 1<<31 - 1
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), futexWakeOp, everyone, 0, 0, 0)
}

// futexSleep sleeps while w is old, for at most ts.
func futexSleep(w *atomic.Uint32, old uint32, ts *unix.Timespec) unix.Errno {
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), futexWaitOp, uintptr(old),
		uintptr(unsafe.Pointer(ts)), 0, 0)
	return errno
}

// rawWrite writes b to fd without telling the scheduler: only for descriptors
// that never block.
func rawWrite(fd int, b []byte) {
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
}
