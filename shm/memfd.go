package shm

import (
	"errors"
	"fmt"
	"os"

	"github.com/edsrzf/mmap-go"
	"golang.org/x/sys/unix"
)

// ErrNoMemory is returned when the machine (or the container) does not have the
// memory that a segment needs.
var ErrNoMemory = errors.New("shm: not enough memory")

// mfdNoexecSeal asks for a file that can never be executed (Linux 6.3).
const mfdNoexecSeal = 0x8

// newMemfd returns a sealable anonymous file of the given size, with all of its
// memory reserved: whoever touches it later needs no further page.
//
// That holds for as long as nobody takes pages out of it. Nobody can of the request
// segment, for its seals forbid writing. A worker can of its own response segment
// (F_SEAL_WRITE would forbid it everything), and then a read of the hole takes a new page.
// Its room is that of the page that was freed, so it is short only when others have
// taken that in the meantime: in a control group at its limit somebody is killed then, as
// when a process of the group had allocated it; with vm.overcommit_memory=2 and no commit
// left, the reader gets SIGBUS, which ends the server.
func newMemfd(name string, bytes uint64) (*os.File, error) {
	if err := checkAvailable(bytes); err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|mfdNoexecSeal)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, fmt.Errorf("shm: memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), name)
	if err := unix.Ftruncate(fd, int64(bytes)); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("shm: size %d bytes: %w", bytes, err)
	}
	if err := fallocate(fd, int64(bytes)); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%w: reserving %d bytes: %w", ErrNoMemory, bytes, err)
	}
	return file, nil
}

func fallocate(fd int, bytes int64) error {
	for {
		if err := unix.Fallocate(fd, 0, 0, bytes); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// punch gives the memory of a file's first bytes back to the machine. It takes the
// pages out of all mappings; the file keeps its size.
func punch(file *os.File, bytes uint64) error {
	for {
		err := unix.Fallocate(int(file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, int64(bytes))
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// dupFile returns another descriptor of a file.
func dupFile(file *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("shm: duplicate a descriptor: %w", err)
	}
	return os.NewFile(uintptr(fd), file.Name()), nil
}

// seal adds seals, and the seal that forbids any further one.
func seal(file *os.File, seals int) error {
	if _, err := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, seals|unix.F_SEAL_SEAL); err != nil {
		return fmt.Errorf("shm: seal: %w", err)
	}
	return nil
}

// checkSeals returns an error unless file has all of these seals.
func checkSeals(file *os.File, want int) error {
	got, err := unix.FcntlInt(file.Fd(), unix.F_GET_SEALS, 0)
	if err != nil {
		return fmt.Errorf("shm: seals: %w", err)
	}
	if got&want != want {
		return geometryError("the segment has seals %#x, want %#x", got, want)
	}
	return nil
}

// mapFile maps bytes of file, shared.
func mapFile(file *os.File, bytes uint64, prot int) (mmap.MMap, error) {
	mem, err := mmap.MapRegion(file, int(bytes), prot, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("shm: map %d bytes: %w", bytes, err)
	}
	return mem, nil
}

// fileBytes returns the length of file in bytes.
func fileBytes(file *os.File) (uint64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, fmt.Errorf("shm: segment: %w", err)
	}
	return uint64(info.Size()), nil
}
