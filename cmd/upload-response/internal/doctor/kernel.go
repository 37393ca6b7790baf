package doctor

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// The oldest kernel that the server supports.
const oldestMajor, oldestMinor = 5, 10

// seccomp is what to do where the kernel would do what a sandbox forbids.
const seccomp = "a sandbox forbids it: allow %s in its seccomp profile"

// kernel checks the version, and tries what shared memory needs.
func kernel() []Result {
	return []Result{version(), tried("memfd with seals", "memfd_create", sealMemory()),
		tried("eventfd", "eventfd2", openEventfd()), tried("futex", "futex", wakeFutex())}
}

func version() Result {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return Result{"kernel", Warn, "unknown: " + err.Error(), ""}
	}
	return judgeKernel(unix.ByteSliceToString(u.Release[:]), runtime.GOARCH)
}

// judgeKernel compares a release such as 6.1.0-18-amd64 with the oldest that is supported.
func judgeKernel(release, arch string) Result {
	r := ok("kernel", "Linux %s, %s", release, arch)
	var major, minor int
	_, _ = fmt.Sscanf(release, "%d.%d", &major, &minor)
	switch {
	case major < oldestMajor || major == oldestMajor && minor < oldestMinor:
		r.Status, r.Advice = Fail, fmt.Sprintf("use Linux %d.%d or later", oldestMajor, oldestMinor)
	case !slices.Contains([]string{"amd64", "arm64"}, arch):
		r.Status, r.Advice = Warn, "nobody tests this architecture: amd64 and arm64 are supported"
	}
	return r
}

// tried is the result of trying a system call.
func tried(check, call string, err error) Result {
	switch {
	case err == nil:
		return ok(check, "works")
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EACCES):
		return Result{check, Fail, err.Error(), fmt.Sprintf(seccomp, call)}
	}
	return Result{check, Fail, err.Error(), ""}
}

// sealMemory makes memory that nobody can shrink or write to through another descriptor.
func sealMemory() error {
	fd, err := unix.MemfdCreate("doctor", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return fmt.Errorf("memfd_create: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, int64(os.Getpagesize())); err != nil {
		return fmt.Errorf("ftruncate: %w", err)
	}
	view, err := unix.Mmap(fd, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	defer func() { _ = unix.Munmap(view) }()
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_FUTURE_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("F_ADD_SEALS: %w", err)
	}
	return nil
}

func openEventfd() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

// wakeFutex calls futex with an address that is not valid, which the kernel says if it is asked.
func wakeFutex() error {
	const wake = 1
	_, _, err := unix.Syscall6(unix.SYS_FUTEX, 0, wake, 1, 0, 0, 0)
	if err == 0 || err == unix.EFAULT || err == unix.EINVAL {
		return nil
	}
	return err
}
