package conn

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// readNow is read(2) on a descriptor that does not block, without telling the scheduler. A
// read that copies a slot takes about as long as the scheduler waits before it gives the
// processor of a system call to another thread, which then has to be woken, while the reader
// has to find a processor again.
//
// Preconditions: p is not empty.
func readNow(fd int, p []byte) (n int, err error) {
	r, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}
