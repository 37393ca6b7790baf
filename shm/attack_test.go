package shm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/edsrzf/mmap-go"
	"golang.org/x/sys/unix"
)

// attempts is what an attacker tried, and the error that it got; "" means that
// it succeeded.
type attempts map[string]string

func (a attempts) try(what string, err error) {
	a[what] = ""
	if err != nil {
		a[what] = err.Error()
	}
}

func TestTheKernelLetsAWorkerOnlyReadTheRequestSegment(t *testing.T) {
	server := createRequest(t, testIdentity)
	before := bytes.Clone(server.mem)
	var got attempts
	note := peerNote{Bytes: int64(len(server.mem))}
	if err := startPeer(t, "attack requests", note, int(server.File().Fd())).answer(&got); err != nil {
		t.Fatal(err)
	}
	if len(got) < 12 {
		t.Errorf("only %d attacks were tried", len(got))
	}
	for what, failure := range got {
		if failure == "" {
			t.Errorf("a worker can %s", what)
		}
	}
	if text, _ := json.MarshalIndent(got, "", " "); testing.Verbose() {
		t.Logf("%s", text)
	}
	if !bytes.Equal(before, server.mem) {
		t.Error("the segment has changed")
	}
	server.Row(0).Open(1) // the server itself still writes
}

// peerAttackRequests tries everything that would change the segment.
func peerAttackRequests(note peerNote, files []*os.File) (any, error) {
	got, file := attempts{}, files[0]
	fd := int(file.Fd())
	attackSize(got, fd, note.Bytes)

	_, err := mmap.MapRegion(file, int(note.Bytes), mmap.RDWR, 0, 0)
	got.try("map it read-write", err)
	mem, err := mapFile(file, uint64(note.Bytes), mmap.RDONLY)
	if err != nil {
		return nil, fmt.Errorf("a worker cannot map it read-only: %w", err)
	}
	got.try("make its read-only mapping writable", unix.Mprotect(mem, unix.PROT_READ|unix.PROT_WRITE))
	got.try("remove pages by madvise", unix.Madvise(mem, unix.MADV_REMOVE))
	got.try("punch a hole", unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 4096))
	got.try("zero a range", unix.Fallocate(fd, unix.FALLOC_FL_ZERO_RANGE, 0, 4096))
	_, err = unix.Pwrite(fd, []byte("scribble"), 0)
	got.try("write to the file", err)
	_, err = unix.Sendfile(fd, fd, nil, 1)
	got.try("copy into the file", err)
	got.try("open it again and write", reopenAnd(fd, func(again *os.File) error {
		_, err := again.Write([]byte("scribble"))
		return err
	}))
	got.try("open it again and map it read-write", reopenAnd(fd, func(again *os.File) error {
		_, err := mmap.MapRegion(again, int(note.Bytes), mmap.RDWR, 0, 0)
		return err
	}))
	got.try("open it again and punch a hole", reopenAnd(fd, func(again *os.File) error {
		return unix.Fallocate(int(again.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 4096)
	}))
	return got, nil
}

// attackSize tries to resize a file and to change its seals.
func attackSize(got attempts, fd int, bytes int64) {
	got.try("make it larger", unix.Ftruncate(fd, bytes+4096))
	got.try("make it smaller", unix.Ftruncate(fd, bytes-4096))
	got.try("make it empty", unix.Ftruncate(fd, 0))
	got.try("append to it", unix.Fallocate(fd, 0, bytes, 4096))
	_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK) // which it has
	got.try("add a seal", err)
	_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE)
	got.try("seal it against writing", err)
	got.try("open it again and truncate it", reopenAnd(fd, func(again *os.File) error { return again.Truncate(0) }))
	_, err = os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDWR|os.O_TRUNC, 0)
	got.try("truncate it while opening", err)
}

func reopenAnd(fd int, attack func(*os.File) error) error {
	again, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer again.Close()
	return attack(again)
}

func TestAWorkerWritesItsResponseSegmentButCannotResizeIt(t *testing.T) {
	server, file, err := CreateResponseSegment(fewSlots.responseGeometry(t))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var got attempts
	note := peerNote{Bytes: int64(len(server.mem))}
	if err := startPeer(t, "attack response", note, int(file.Fd())).answer(&got); err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	for what, failure := range got {
		if failure == "" {
			t.Errorf("a worker can %s", what)
		}
	}
	if got := server.mem[len(server.mem)-1]; got != 77 {
		t.Errorf("the last byte is %d, the worker wrote 77", got)
	}
}

func peerAttackResponse(note peerNote, files []*os.File) (any, error) {
	mem, err := mapFile(files[0], uint64(note.Bytes), mmap.RDWR)
	if err != nil {
		return nil, err
	}
	mem[len(mem)-1] = 77
	got := attempts{}
	attackSize(got, int(files[0].Fd()), note.Bytes)
	return got, nil
}
