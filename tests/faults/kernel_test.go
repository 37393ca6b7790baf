package faults_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/handworker"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// attempts are what a worker may try on the segments that it was given.
var attempts = map[string]func(a *handworker.Attachment) error{
	"request segment: map it read-write": func(a *handworker.Attachment) error {
		return mapAs(a.Request,
			unix.PROT_READ|unix.PROT_WRITE)
	},
	"request segment: map it write-only": func(a *handworker.Attachment) error {
		return mapAs(a.Request,
			unix.PROT_WRITE)
	},
	"request segment: make a read-only mapping writable": func(a *handworker.Attachment) error {
		return unix.Mprotect(handworker.Map(a.Request, unix.PROT_READ), unix.PROT_READ|unix.PROT_WRITE)
	},
	"request segment: open it again and map that": func(a *handworker.Attachment) error {
		file, err := os.OpenFile(procPath(a.Request), os.O_RDWR, 0)
		if err != nil {
			return errors.Unwrap(err)
		}
		return mapAs(file, unix.PROT_READ|unix.PROT_WRITE)
	},
	"request segment: open it again and cut it off": func(a *handworker.Attachment) error {
		_, err := os.OpenFile(procPath(a.Request), os.O_RDWR|os.O_TRUNC, 0)
		return errors.Unwrap(err)
	},
	"request segment: write": func(a *handworker.Attachment) error {
		_,
			err := unix.Pwrite(fd(a.Request), []byte("x"), 0)
		return err
	},
	"request segment: shrink": func(a *handworker.Attachment) error { return unix.Ftruncate(fd(a.Request), 0) },
	"request segment: grow": func(a *handworker.Attachment) error {
		return unix.Ftruncate(fd(a.Request),
			1<<40)
	},
	"request segment: grow and fill": func(a *handworker.Attachment) error {
		return unix.Fallocate(fd(a.Request), 0, 0,
			1<<30)
	},
	"request segment: punch a hole": func(a *handworker.Attachment) error {
		return unix.Fallocate(fd(a.Request), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, shm.HeaderBytes)
	},
	"request segment: punch a hole through a mapping": func(a *handworker.Attachment) error {
		return unix.Madvise(handworker.Map(a.Request, unix.PROT_READ), unix.MADV_REMOVE)
	},
	"request segment: seal it otherwise": func(a *handworker.Attachment) error {
		return addSeal(a.Request,
			unix.F_SEAL_WRITE)
	},
	"response segment: shrink": func(a *handworker.Attachment) error {
		return unix.Ftruncate(fd(a.Response),
			shm.HeaderBytes)
	},
	"response segment: empty": func(a *handworker.Attachment) error {
		return unix.Ftruncate(fd(a.Response),
			0)
	},
	"response segment: grow": func(a *handworker.Attachment) error {
		return unix.Ftruncate(fd(a.Response),
			1<<40)
	},
	"response segment: grow and fill": func(a *handworker.Attachment) error {
		return unix.Fallocate(fd(a.Response),
			0, 0, 1<<30)
	},
	"response segment: seal it otherwise": func(a *handworker.Attachment) error {
		return addSeal(a.Response,
			unix.F_SEAL_WRITE)
	},
	"response segment: write past its end": func(a *handworker.Attachment) error {
		info, err := a.Response.Stat()
		must(err)
		_, err = unix.Pwrite(fd(a.Response), []byte("x"), info.Size())
		return err
	},
}

func fd(file *os.File) int { return int(file.Fd()) }

func procPath(file *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", file.Fd()) }

func mapAs(file *os.File, prot int) error {
	_, err := unix.Mmap(fd(file), 0, os.Getpagesize(), prot, unix.MAP_SHARED)
	return err
}

func addSeal(file *os.File, seal int) error {
	_, err := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, seal)
	return err
}

// proberRole attaches, tries everything, and says what came of it.
func proberRole() {
	a, err := handworker.Attach(os.Getenv(harness.SocketVariable), "default", attach.BellFutex, 1)
	must(err)
	for name, attempt := range attempts {
		fmt.Printf("<%s: %v>\n", name, attempt(a))
	}
	fmt.Println("<done>")
	select {} // until it is killed
}

func TestTheKernelRefusesAWorkerWhatIsNotItsBusiness(t *testing.T) {
	s := harness.Start(t, small)
	p := s.StartWorker(t, "prober")
	awaitSaid(t, p, "done", 1)
	for name := range attempts {
		if !strings.Contains(p.Output(), "<"+name+": operation not permitted>") &&
			!strings.Contains(p.Output(), "<"+name+": permission denied>") {
			t.Errorf("%s: want EPERM or EACCES", name)
		}
	}
	if t.Failed() {
		t.Logf("the worker's attempts:\n%s", p.Output())
	}
	p.Kill()
	s.StartWorker(t, "handler")
	wantGood(t, s)
}
